# weft_lab_page(target): gives `target` the page of the laboratory, weft::lab_page() of
# lab/detail/page.h. The page is page.html with the styles and scripts that it names put into it.
#
# This file is also the script that writes it: cmake -D OUTPUT=page.html -P page.cmake; where OUTPUT
# ends in .cpp, as the source of lab_page().
set(weft_page_folder ${CMAKE_CURRENT_LIST_DIR})

# Into `result`: page.html in one piece.
function(weft_assemble_page result)
  file(READ ${weft_page_folder}/page.html page)
  set(tag "<script src=\"[^\"]+\"></script>|<link rel=\"stylesheet\" href=\"[^\"]+\">|<!--TEXT [^>]+-->")
  string(REGEX MATCHALL "${tag}" tags "${page}")
  foreach(tag IN LISTS tags)
    string(REGEX REPLACE ".*(src=\"|href=\"|TEXT )([^\"> ]+[a-z])(\"|-->).*" "\\2" name "${tag}")
    file(READ ${weft_page_folder}/${name} text)
    if(text MATCHES "</?script|</style|<!--")
      message(FATAL_ERROR "page.cmake: ${name} has a tag that would end the element around it")
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
  weft_assemble_page(page)
  if(OUTPUT MATCHES "[.]cpp$")
    string(CONCAT page "#include <weft/seq2seq/lab/detail/page.h>\n\nnamespace weft {\n\n"
                       "std::string_view lab_page() {\n  return R\"weft-page(${page})weft-page\";\n}\n\n"
                       "}  // namespace weft\n")
  endif()
  file(WRITE ${OUTPUT} "${page}")
  return()
endif()

function(weft_lab_page target)
  set(script ${weft_page_folder}/page.cmake)
  set(output ${CMAKE_CURRENT_BINARY_DIR}/lab_page.cpp)
  file(GLOB parts CONFIGURE_DEPENDS ${weft_page_folder}/*.* ${weft_page_folder}/vendor/*)
  add_custom_command(OUTPUT ${output} DEPENDS ${parts} VERBATIM
                     COMMAND ${CMAKE_COMMAND} -D OUTPUT=${output} -P ${script})
  target_sources(${target} PRIVATE ${output})
  # One long literal, which GCC and Clang take.
  set_source_files_properties(${output} PROPERTIES COMPILE_OPTIONS -Wno-overlength-strings)
endfunction()
