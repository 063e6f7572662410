# sapbuf_reference(TARGET TOOL [SECTIONS]): the tool's manual page and completions, which it makes itself of its command line, so that they
# are true; with SECTIONS, more sections of the manual page, behind. A tool that cannot run here has none.
find_program(SAPBUF_GZIP gzip)

function(sapbuf_reference target tool)
  if((CMAKE_CROSSCOMPILING AND NOT CMAKE_CROSSCOMPILING_EMULATOR) OR NOT SAPBUF_GZIP)
    return()
  endif()
  set(directory ${PROJECT_BINARY_DIR}/reference)
  set(page ${directory}/${tool}.1)
  set(outputs ${page}.gz)
  file(MAKE_DIRECTORY ${directory})
  add_custom_command(OUTPUT ${page}.gz
                     COMMAND ${target} --reference man > ${page}.part
                     COMMAND ${CMAKE_COMMAND} -E cat ${page}.part ${ARGN} > ${page}
                     COMMAND ${SAPBUF_GZIP} --force --no-name --best ${page}
                     DEPENDS ${target} ${ARGN} VERBATIM)
  foreach(shell bash zsh fish)
    add_custom_command(OUTPUT ${directory}/${tool}.${shell} COMMAND ${target} --reference ${shell} > ${directory}/${tool}.${shell}
                       DEPENDS ${target} VERBATIM)
    list(APPEND outputs ${directory}/${tool}.${shell})
  endforeach()
  add_custom_target(${target}_reference ALL DEPENDS ${outputs})

  if(SAPBUF_INSTALL)
    set(data ${CMAKE_INSTALL_DATADIR})
    install(FILES ${page}.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT tools)
    install(FILES ${directory}/${tool}.bash DESTINATION ${data}/bash-completion/completions RENAME ${tool} COMPONENT tools)
    install(FILES ${directory}/${tool}.fish DESTINATION ${data}/fish/vendor_completions.d COMPONENT tools)
    # Where zsh looks below /usr/local, and where Debian's packages put it.
    install(FILES ${directory}/${tool}.zsh DESTINATION ${data}/zsh/site-functions RENAME _${tool} COMPONENT zsh)
    install(FILES ${directory}/${tool}.zsh DESTINATION ${data}/zsh/vendor-completions RENAME _${tool} COMPONENT tools EXCLUDE_FROM_ALL)
  endif()
endfunction()
