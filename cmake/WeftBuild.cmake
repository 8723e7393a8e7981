# Build settings that every target shares: warnings, sanitizers, ccache, one object library per CPU.

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()
set(CMAKE_CXX_EXTENSIONS OFF)
# Where editors look for it: a link in the root to that of the build configured last.
if(PROJECT_IS_TOP_LEVEL)
  set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
  file(CREATE_LINK ${CMAKE_BINARY_DIR}/compile_commands.json
       ${CMAKE_SOURCE_DIR}/compile_commands.json RESULT ignored SYMBOLIC)
endif()
if(EMSCRIPTEN)  # everything is linked statically; exceptions are those of WebAssembly itself
  add_compile_options(-fwasm-exceptions)
  add_link_options(-fwasm-exceptions)
else()
  set(CMAKE_POSITION_INDEPENDENT_CODE ON)
endif()

find_program(WEFT_CCACHE ccache)
if(WEFT_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)  # it takes precompiled headers only if told so
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros
                                  ${WEFT_CCACHE})
endif()

if(WEFT_SANITIZE)
  add_compile_options(-fsanitize=${WEFT_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  if(WEFT_SANITIZE MATCHES "address.*undefined")  # ASan stops at null too, and does not ask at every use
    add_compile_options(-fno-sanitize=null)
  endif()
  add_link_options(-fsanitize=${WEFT_SANITIZE})
endif()

function(weft_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wconversion -Wshadow)
endfunction()

# Headers that most sources of a target include and that do not change are compiled once for it;
# elsewhere they are most of the time that a source takes.
function(weft_precompile target)
  target_precompile_headers(${target} PRIVATE <algorithm> <functional> <memory> <string> <vector>
                                              <fmt/format.h> ${ARGN})
  target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
endfunction()

# Where CMAKE_UNITY_BUILD asks for few large sources: one for each folder of a library.
function(weft_unite_folders target)
  set_target_properties(${target} PROPERTIES UNITY_BUILD_MODE GROUP)
  get_target_property(sources ${target} SOURCES)
  list(FILTER sources INCLUDE REGEX "^[^$].*cpp$")
  foreach(source ${sources})
    cmake_path(GET source PARENT_PATH folder)
    cmake_path(RELATIVE_PATH folder BASE_DIRECTORY ${PROJECT_SOURCE_DIR})
    string(MAKE_C_IDENTIFIER "${folder}" group)
    set_source_files_properties(${source} TARGET_DIRECTORY ${target} PROPERTIES UNITY_GROUP ${group})
  endforeach()
  # GCC takes what an included source keeps to itself for a header's, and warns of templates that use it.
  if(CMAKE_UNITY_BUILD)
    target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
  endif()
endfunction()

# Compiles kernel files with the flags of one instruction set, in the namespace of that name.
function(weft_kernel_copy target isa flags)
  set(optimize -O3)
  if(WEFT_SANITIZE)  # would take minutes to compile at -O3
    set(optimize -O1)
  endif()
  add_library(${target}_${isa} OBJECT ${ARGN})
  set_target_properties(${target}_${isa} PROPERTIES UNITY_BUILD OFF)  # each file has names of its own
  target_compile_features(${target}_${isa} PRIVATE cxx_std_20)
  target_include_directories(${target}_${isa} PRIVATE ${weft_include})
  target_compile_definitions(${target}_${isa} PRIVATE WEFT_ISA=${isa})
  # -fno-math-errno and -fno-trapping-math let loops vectorize and change no result.
  target_compile_options(${target}_${isa} PRIVATE ${optimize} -fopenmp-simd -fno-math-errno
                                                  -fno-trapping-math -ffp-contract=fast ${flags})
  weft_warnings(${target}_${isa})
  # Clang warns of each loop over double that calls libm and so stays scalar, which is intended.
  target_compile_options(${target}_${isa} PRIVATE $<$<CXX_COMPILER_ID:Clang>:-Wno-pass-failed>)
  target_sources(${target} PRIVATE $<TARGET_OBJECTS:${target}_${isa}>)
endfunction()

if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(weft_flags_avx2 -mavx2 -mfma -mf16c)
  set(weft_flags_avx512 ${weft_flags_avx2} -mavx512f -mavx512bw -mavx512dq -mavx512vl -mprefer-vector-width=512)
  set(weft_flags_avx512_bf16 ${weft_flags_avx512} -mavx512bf16)
elseif(EMSCRIPTEN)
  set(weft_flags_baseline -msimd128)
endif()

# Compiles kernel files once per instruction set; core/kernels/kernel.h picks one copy at run time, so
# a single binary is fast everywhere.
function(weft_kernels target)
  foreach(isa baseline avx2 avx512)
    if(isa STREQUAL baseline OR weft_flags_${isa})
      weft_kernel_copy(${target} ${isa} "${weft_flags_${isa}}" ${ARGN})
    endif()
  endforeach()
endfunction()
