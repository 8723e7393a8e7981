# weft_embed(target file function header): the bytes of a file in a library, as
#   std::string_view function();       in namespace weft, which the header declares
# This file is also the script that writes the source at build time, from INPUT to OUTPUT.
if(CMAKE_SCRIPT_MODE_FILE)
  file(READ ${INPUT} bytes HEX)
  string(REGEX REPLACE "(..)" "\\\\x\\1" bytes "${bytes}")
  file(WRITE ${OUTPUT} "#include <${HEADER}>

namespace weft {
std::string_view ${FUNCTION}() {
  static constexpr char kBytes[] = \"${bytes}\";
  return {kBytes, sizeof kBytes - 1};
}
}  // namespace weft
")
  return()
endif()

set(weft_embed_script ${CMAKE_CURRENT_LIST_FILE})
function(weft_embed target file function header)
  set(input ${CMAKE_CURRENT_SOURCE_DIR}/${file})
  set(output ${CMAKE_CURRENT_BINARY_DIR}/${function}.cpp)
  add_custom_command(OUTPUT ${output} DEPENDS ${input} ${weft_embed_script} VERBATIM
                     COMMAND ${CMAKE_COMMAND} -D INPUT=${input} -D OUTPUT=${output} -D FUNCTION=${function}
                             -D HEADER=${header} -P ${weft_embed_script})
  target_sources(${target} PRIVATE ${output})
endfunction()
