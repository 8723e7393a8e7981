# weft_exported_page(target): gives `target` the page that goes beside exported models,
# weft::exported_page() of exchange/detail/page.h: the files of this folder as literals.
#
# This file is also the script that writes it: cmake -D OUTPUT=exported_page.cpp -P page.cmake
set(weft_exported_folder ${CMAKE_CURRENT_LIST_DIR})
set(weft_exported_files index.html page.mjs translate.mjs)

if(CMAKE_SCRIPT_MODE_FILE)
  set(entries "")
  foreach(name IN LISTS weft_exported_files)
    file(READ ${weft_exported_folder}/${name} text)
    string(APPEND entries "      {\"${name}\", R\"weft-page(${text})weft-page\"},\n")
  endforeach()
  file(WRITE ${OUTPUT} "#include <weft/seq2seq/exchange/detail/page.h>\n\nnamespace weft {\n\n"
                       "const std::vector<PageFile>& exported_page() {\n"
                       "  static const std::vector<PageFile> files{\n${entries}  };\n"
                       "  return files;\n}\n\n}  // namespace weft\n")
  return()
endif()

function(weft_exported_page target)
  set(script ${weft_exported_folder}/page.cmake)
  set(output ${CMAKE_CURRENT_BINARY_DIR}/exported_page.cpp)
  list(TRANSFORM weft_exported_files PREPEND ${weft_exported_folder}/ OUTPUT_VARIABLE parts)
  add_custom_command(OUTPUT ${output} DEPENDS ${parts} ${script} VERBATIM
                     COMMAND ${CMAKE_COMMAND} -D OUTPUT=${output} -P ${script})
  target_sources(${target} PRIVATE ${output})
  # Long literals, which GCC and Clang take.
  set_source_files_properties(${output} PROPERTIES COMPILE_OPTIONS -Wno-overlength-strings)
endfunction()
