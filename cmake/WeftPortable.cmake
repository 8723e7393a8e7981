# WEFT_PORTABLE: fmt, JSON and TOML as headers alone, which serve any machine; those of the machine
# that builds are taken, apart from its other headers.
set(weft_headers ${CMAKE_BINARY_DIR}/headers)
file(MAKE_DIRECTORY ${weft_headers})
foreach(header fmt/format.h nlohmann/json.hpp toml++/toml.h)
  cmake_path(GET header PARENT_PATH package)
  find_path(weft_${package}_folder ${header} PATHS /usr/include REQUIRED NO_CMAKE_FIND_ROOT_PATH)
  file(CREATE_LINK ${weft_${package}_folder}/${package} ${weft_headers}/${package} SYMBOLIC)
endforeach()

foreach(name fmt::fmt nlohmann_json::nlohmann_json)
  add_library(${name} INTERFACE IMPORTED)
  target_include_directories(${name} INTERFACE ${weft_headers})
endforeach()
target_compile_definitions(fmt::fmt INTERFACE FMT_HEADER_ONLY)
set(TOMLPLUSPLUS_INCLUDE ${weft_headers})
