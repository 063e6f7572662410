# Debian packages of what was built, one for each component: scripts/package.sh.
set(package_docs share/doc)
set(package_runtime libsapbuf${SAPBUF_SOVERSION})
set(package_dev libsapbuf-dev)
set(package_tools sapbuf-tools)
set(package_python python3-sapbuf)
set(package_api libsapbuf-doc)

get_cmake_property(built COMPONENTS)
set(CPACK_COMPONENTS_ALL)
foreach(component runtime dev tools python api)
  if(component IN_LIST built)
    list(APPEND CPACK_COMPONENTS_ALL ${component})
    set(docs ${package_docs}/${package_${component}})
    install(FILES scripts/debian/copyright DESTINATION ${docs} COMPONENT ${component} EXCLUDE_FROM_ALL)
    install(FILES ${PROJECT_BINARY_DIR}/changelog.Debian.gz DESTINATION ${docs} COMPONENT ${component} EXCLUDE_FROM_ALL)
    set(overrides scripts/debian/overrides)
    if(EXISTS ${PROJECT_SOURCE_DIR}/${overrides}.${component})
      string(APPEND overrides .${component})
    endif()
    install(FILES ${overrides} DESTINATION share/lintian/overrides RENAME ${package_${component}} COMPONENT ${component} EXCLUDE_FROM_ALL)
  endif()
endforeach()

# What has to be built for them.
add_custom_target(sapbuf_packages DEPENDS sapbuf_static sapbuf_shared sapbuf_manual)
foreach(tool cli watchdog bench)
  if(TARGET sapbuf_${tool}_reference)
    add_dependencies(sapbuf_packages sapbuf_${tool}_reference)
  endif()
endforeach()

foreach(part python api_reference)
  if(TARGET sapbuf_${part})
    add_dependencies(sapbuf_packages sapbuf_${part})
  endif()
endforeach()

file(STRINGS scripts/debian/changelog changes LIMIT_COUNT 1)
if(NOT changes MATCHES "^sapbuf \\(${PROJECT_VERSION}-([0-9]+)\\) ")
  message(FATAL_ERROR "scripts/debian/changelog does not begin with version ${PROJECT_VERSION}: ${changes}")
endif()
set(CPACK_DEBIAN_PACKAGE_RELEASE ${CMAKE_MATCH_1})
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS scripts/debian/changelog)
execute_process(COMMAND gzip --no-name --best --stdout ${PROJECT_SOURCE_DIR}/scripts/debian/changelog
                OUTPUT_FILE ${PROJECT_BINARY_DIR}/changelog.Debian.gz COMMAND_ERROR_IS_FATAL ANY)

set(CPACK_GENERATOR DEB)
set(CPACK_SET_DESTDIR ON)  # so that what is made while it is installed names the place where it will be
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR}/packages)
set(CPACK_PACKAGE_CONTACT "sapbuf maintainers <maintainers@sapbuf.invalid>")
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SOURCE sapbuf)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${CMAKE_CURRENT_BINARY_DIR}/shm)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "")  # each package has its own
set(about
    "Streams, pools, maps, queues and cells in shared memory, for processes of one
machine of which any may be killed at any moment: what the dead held is taken
back, what was handed over is not lost, and nobody sees half a message.")
# describe(COMPONENT SECTION WHAT TEXT)
macro(describe component section what text)
  string(TOUPPER ${component} COMPONENT)
  set(CPACK_DEBIAN_${COMPONENT}_PACKAGE_NAME ${package_${component}})
  set(CPACK_DEBIAN_${COMPONENT}_PACKAGE_SECTION ${section})
  set(CPACK_COMPONENT_${COMPONENT}_DESCRIPTION "shared memory for processes that may be killed (${what})\n${about}\n\n${text}")
endmacro()
describe(runtime libs library
         "This package has the shared library.")
describe(dev libdevel development
         "This package has the headers, the static library, and what CMake and\npkg-config need to know.")
describe(tools utils tools
         "This package has the command-line tools sapbuf and sapbuf-bench, and\nsapbuf-watchdog, which takes back what the dead held within milliseconds.")
describe(python python Python
         "This package has the Python module sapbuf.")
describe(api doc documentation
         "This package has the API reference, for C++ and C, in HTML.")
set(CPACK_DEBIAN_API_PACKAGE_ARCHITECTURE all)

set(exact "(= ${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE})")
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS "${package_runtime} ${exact}, libstdc++-12-dev | libstdc++-dev")
set(CPACK_DEBIAN_DEV_PACKAGE_SUGGESTS "sapbuf-tools")
if(TARGET sapbuf_python)
  # The module is for the one version of Python that it was compiled with.
  math(EXPR next_python "${Python_VERSION_MINOR} + 1")
  set(CPACK_DEBIAN_PYTHON_PACKAGE_DEPENDS "python3 (>= 3.${Python_VERSION_MINOR}), python3 (<< 3.${next_python})")
endif()

# The C++ interface may change with each minor version; a program that was linked with one needs that one.
math(EXPR next_minor "${PROJECT_VERSION_MINOR} + 1")
file(WRITE ${PROJECT_BINARY_DIR}/debian/shlibs
     "libsapbuf ${SAPBUF_SOVERSION} ${package_runtime} (>= ${PROJECT_VERSION}), ${package_runtime} (<< ${PROJECT_VERSION_MAJOR}.${next_minor}~)\n")
file(WRITE ${PROJECT_BINARY_DIR}/debian/triggers "activate-noawait ldconfig\n")
set(CPACK_DEBIAN_RUNTIME_PACKAGE_CONTROL_EXTRA ${PROJECT_BINARY_DIR}/debian/shlibs ${PROJECT_BINARY_DIR}/debian/triggers)
foreach(component tools python)
  string(TOUPPER ${component} COMPONENT)
  file(GLOB CPACK_DEBIAN_${COMPONENT}_PACKAGE_CONTROL_EXTRA ${PROJECT_SOURCE_DIR}/scripts/debian/${component}/*)
endforeach()

include(CPack)
