# What is installed of the library. Component `runtime`: what a program needs that was linked with it; `dev`: what it takes to make one.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/sapbuf)
set(pkgconfig_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

install(TARGETS sapbuf_static sapbuf_shared EXPORT sapbufTargets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT dev
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime NAMELINK_COMPONENT dev)
install(DIRECTORY include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT dev)
install(DIRECTORY layout/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/sapbuf/layout COMPONENT dev FILES_MATCHING PATTERN "*.hpp")

install(EXPORT sapbufTargets NAMESPACE sapbuf:: DESTINATION ${package_dir} COMPONENT dev)
configure_package_config_file(cmake/sapbufConfig.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/sapbufConfig.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/sapbufConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/sapbufConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/sapbufConfigVersion.cmake
        DESTINATION ${package_dir} COMPONENT dev)

# The prefix is found from where the file stands, so that it holds wherever that is installed.
file(RELATIVE_PATH SAPBUF_PREFIX_FROM_PC /${pkgconfig_dir} /)
string(REGEX REPLACE "/$" "" SAPBUF_PREFIX_FROM_PC "${SAPBUF_PREFIX_FROM_PC}")
if(SAPBUF_CHECKS)
  set(SAPBUF_PC_CFLAGS " -DSAPBUF_CHECKS")
endif()
configure_file(cmake/sapbuf.pc.in ${CMAKE_CURRENT_BINARY_DIR}/sapbuf.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/sapbuf.pc DESTINATION ${pkgconfig_dir} COMPONENT dev)

# CMake strips no static library.
install(CODE "
  if(CMAKE_INSTALL_DO_STRIP)
    set(lib_dir \"${CMAKE_INSTALL_LIBDIR}\")
    cmake_path(ABSOLUTE_PATH lib_dir BASE_DIRECTORY \"\${CMAKE_INSTALL_PREFIX}\")
    execute_process(COMMAND \"${CMAKE_STRIP}\" --strip-debug --remove-section=.comment \"\$ENV{DESTDIR}\${lib_dir}/libsapbuf.a\"
                    COMMAND_ERROR_IS_FATAL ANY)
  endif()" COMPONENT dev)

find_program(SAPBUF_GZIP gzip)
if(SAPBUF_GZIP)
  configure_file(docs/sapbuf.3.in ${CMAKE_CURRENT_BINARY_DIR}/sapbuf.3 @ONLY)
  add_custom_command(OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/sapbuf.3.gz
                     COMMAND ${SAPBUF_GZIP} --force --keep --no-name --best ${CMAKE_CURRENT_BINARY_DIR}/sapbuf.3
                     DEPENDS ${CMAKE_CURRENT_BINARY_DIR}/sapbuf.3 VERBATIM)
  add_custom_target(sapbuf_manual ALL DEPENDS ${CMAKE_CURRENT_BINARY_DIR}/sapbuf.3.gz)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/sapbuf.3.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man3 COMPONENT dev)
endif()

install(FILES DESIGN.md docs/CHANGELOG.md docs/stability.md DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT dev)
if(SAPBUF_TOOLS)
  install(FILES docs/bindings.md docs/facilities.md docs/figures.md docs/operating.md docs/recording.md docs/tools.md docs/tuning.md docs/grafana-dashboard.json
                docs/latency.svg docs/producers.svg docs/recovery.svg docs/soak.svg docs/throughput.svg
          DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT tools)
endif()
install(DIRECTORY examples DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT dev)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT license)

# All that the public headers say, as pages of HTML.
option(SAPBUF_API_REFERENCE "Make an API reference with Doxygen, and install it" OFF)
if(SAPBUF_API_REFERENCE)
  find_package(Doxygen REQUIRED)
  set(DOXYGEN_GENERATE_LATEX NO)
  set(DOXYGEN_JAVADOC_AUTOBRIEF YES)
  set(DOXYGEN_EXTRACT_ALL YES)
  set(DOXYGEN_EXCLUDE_SYMBOLS "sapbuf::detail::*" "*::detail")
  set(DOXYGEN_MACRO_EXPANSION YES)
  set(DOXYGEN_EXPAND_ONLY_PREDEF YES)
  set(DOXYGEN_PREDEFINED "SAPBUF_BEGIN=namespace sapbuf {" "SAPBUF_END=}")
  set(DOXYGEN_FILTER_PATTERNS "*.hpp=sed --file=${CMAKE_CURRENT_SOURCE_DIR}/docs/doxygen.sed")
  set(DOXYGEN_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/api)
  doxygen_add_docs(sapbuf_api_reference include ALL)
  install(DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/api/html DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT api)
endif()
