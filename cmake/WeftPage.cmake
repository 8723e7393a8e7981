# weft_add_page(target PAGE FUNCTION HEADER): gives `target` the function weft::FUNCTION(), which
# HEADER declares: PAGE, a file of HTML, with the styles, scripts and texts that it names put into it,
# but for modules (type="module"), which are files of their own; or such a module.
#
# This file is also the script that writes it: cmake -D PAGE=page.html -D OUTPUT=FILE -P WeftPage.cmake;
# with -D FUNCTION and -D HEADER, as the source of the function.

# Into `result`: the page in one piece.
function(weft_assemble_page file result)
  cmake_path(GET file PARENT_PATH folder)
  file(READ ${file} page)
  set(tag "<script src=\"[^\"]+\"></script>|<link rel=\"stylesheet\" href=\"[^\"]+\">|<!--TEXT [^>]+-->")
  string(REGEX MATCHALL "${tag}" tags "${page}")
  foreach(tag IN LISTS tags)
    string(REGEX REPLACE ".*(src=\"|href=\"|TEXT )([^\"> ]+[a-z])(\"|-->).*" "\\2" name "${tag}")
    file(READ ${folder}/${name} text)
    if(text MATCHES "</?script|</style|<!--")
      message(FATAL_ERROR "WeftPage: ${name} has a tag that would end the element around it")
    endif()
    if(name MATCHES "[.]js$")
      set(text "<script nonce=\"page\">\n${text}</script>")
    elseif(name MATCHES "[.]css$")
      set(text "<style>\n${text}</style>")
    endif()
    string(REPLACE "${tag}" "${text}" page "${page}")
  endforeach()
  set(${result} "${page}" PARENT_SCOPE)
endfunction()

if(CMAKE_SCRIPT_MODE_FILE)
  weft_assemble_page(${PAGE} page)
  if(FUNCTION)
    string(CONCAT page "#include <${HEADER}>\n\nnamespace weft {\n\n"
                       "std::string_view ${FUNCTION}() {\n  return R\"weft-page(${page})weft-page\";\n}\n\n"
                       "}  // namespace weft\n")
  endif()
  file(WRITE ${OUTPUT} "${page}")
  return()
endif()

set(weft_page_script ${CMAKE_CURRENT_LIST_FILE})

function(weft_add_page target page function header)
  set(page ${CMAKE_CURRENT_SOURCE_DIR}/${page})
  set(output ${CMAKE_CURRENT_BINARY_DIR}/${function}.cpp)
  file(GLOB_RECURSE parts CONFIGURE_DEPENDS *.js *.mjs *.css *.html *.txt)
  add_custom_command(OUTPUT ${output} DEPENDS ${parts} ${weft_page_script} VERBATIM
                     COMMAND ${CMAKE_COMMAND} -D PAGE=${page} -D OUTPUT=${output} -D FUNCTION=${function}
                             -D HEADER=${header} -P ${weft_page_script})
  target_sources(${target} PRIVATE ${output})
  # One long literal, which GCC and Clang take.
  set_source_files_properties(${output} PROPERTIES COMPILE_OPTIONS -Wno-overlength-strings)
endfunction()
