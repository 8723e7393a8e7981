# Installs weft, then builds and runs examples against what was installed, each as a project of its own.
#   cmake -D SOURCE=... -D BUILD=... -D CXX=... -P consumer.cmake
set(work ${BUILD}/consumer)
file(REMOVE_RECURSE ${work})

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output
                  ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${ARGN}: ${status}\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

# Builds examples/consumer, with the main.cpp of that example in it, and expects its output to match.
function(consume example expected)
  set(project ${work}/${example})
  file(COPY ${SOURCE}/examples/consumer/CMakeLists.txt ${SOURCE}/examples/${example}/main.cpp
       DESTINATION ${project})
  run(${CMAKE_COMMAND} -S ${project} -B ${project}/build
      -D CMAKE_PREFIX_PATH=${work}/installed -D CMAKE_BUILD_TYPE=Release ${without}
      -D CMAKE_CXX_COMPILER=${CXX})
  run(${CMAKE_COMMAND} --build ${project}/build)
  run(${project}/build/consumer)
  if(NOT output MATCHES "${expected}")
    message(FATAL_ERROR "${example}: unexpected output: ${output}")
  endif()
endfunction()

# The same without CMake.
function(consume_by_pkg_config example expected)
  find_program(PKG_CONFIG pkg-config REQUIRED)
  set(ENV{PKG_CONFIG_PATH} ${pkg_config_path})
  run(${PKG_CONFIG} --cflags --libs weft)
  separate_arguments(flags UNIX_COMMAND "${output}")
  run(${CXX} -std=c++20 ${SOURCE}/examples/${example}/main.cpp -o ${work}/${example}.out ${flags})
  set(ENV{LD_LIBRARY_PATH} ${pkg_config_path}/..)
  run(${work}/${example}.out)
  if(NOT output MATCHES "${expected}")
    message(FATAL_ERROR "${example}: unexpected output: ${output}")
  endif()
  run(${PKG_CONFIG} --modversion weft)
  file(STRINGS ${SOURCE}/core/version.h version REGEX "define WEFT_VERSION ")
  string(STRIP "${output}" output)
  if(NOT version MATCHES "\"${output}\"")
    message(FATAL_ERROR "pkg-config says ${output}, core/version.h ${version}")
  endif()
endfunction()

# What is installed can be moved, and asks for no package that only weft's own build needs.
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${work}/staged)
file(RENAME ${work}/staged ${work}/installed)
file(GLOB_RECURSE pc ${work}/installed/weft.pc)
get_filename_component(pkg_config_path ${pc} DIRECTORY)
foreach(package nlohmann_json CLI11 PkgConfig Catch2)
  list(APPEND without -D CMAKE_DISABLE_FIND_PACKAGE_${package}=ON)
endforeach()
consume(consumer "^tensor\\(\\[\\[1, 2, 3\\]\\], shape \\[1, 3\\], float32\\)\n$")
consume(new_op "^3 samples, [0-9]+ slopes: 0 failures\n")
consume(new_layer "^[0-9]+ slopes: 0 failures\n.* temperature [0-9.]+\n$")
consume_by_pkg_config(consumer "^tensor\\(\\[\\[1, 2, 3\\]\\], shape \\[1, 3\\], float32\\)\n$")

# The component seq2seq: a program of one's own over weft's command line, one over its trainer, and
# weft itself.
if(EXISTS ${work}/installed/include/weft/seq2seq.h)
  set(project ${work}/with_seq2seq)
  file(WRITE ${project}/CMakeLists.txt [[
    cmake_minimum_required(VERSION 3.22)
    project(with_seq2seq LANGUAGES CXX)
    find_package(weft REQUIRED COMPONENTS seq2seq)
    foreach(example own_program train_gru)
      add_executable(${example} ${example}.cpp)
      target_link_libraries(${example} PRIVATE weft::seq2seq)
    endforeach()
  ]])
  foreach(example own_program train_gru)
    configure_file(${SOURCE}/examples/${example}/main.cpp ${project}/${example}.cpp COPYONLY)
  endforeach()
  set(without "")
  run(${CMAKE_COMMAND} -S ${project} -B ${project}/build
      -D CMAKE_PREFIX_PATH=${work}/installed -D CMAKE_BUILD_TYPE=Release
      -D CMAKE_CXX_COMPILER=${CXX})
  run(${CMAKE_COMMAND} --build ${project}/build)
  run(${project}/build/own_program train --task vowels --model sharp --optimizer lion --steps 4
      --d-model 16 --layers 1 --heads 2 --ffn 32 --model-dir ${work}/vowels)
  if(NOT output MATCHES "held-out: translated exactly")
    message(FATAL_ERROR "own_program: unexpected output: ${output}")
  endif()
  run(${project}/build/own_program show --sentence weft --model-dir ${work}/vowels)
  run(${project}/build/train_gru ${work}/gru 4)
  if(NOT output MATCHES "% of 1000 exactly right\n$")
    message(FATAL_ERROR "train_gru: unexpected output: ${output}")
  endif()
  run(${work}/installed/bin/weft --help)
endif()
