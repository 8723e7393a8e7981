# Installs weft, then builds and runs examples against what was installed, each as a project of its own.
#   cmake -D SOURCE=... -D BUILD=... -D CXX=... -D FLAGS=... -P consumer.cmake
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
      -D CMAKE_PREFIX_PATH=${work}/installed -D CMAKE_BUILD_TYPE=Release
      -D CMAKE_CXX_COMPILER=${CXX} "-DCMAKE_CXX_FLAGS=${FLAGS}")
  run(${CMAKE_COMMAND} --build ${project}/build)
  run(${project}/build/consumer)
  if(NOT output MATCHES "${expected}")
    message(FATAL_ERROR "${example}: unexpected output: ${output}")
  endif()
endfunction()

run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${work}/installed)
consume(consumer "^tensor\\(\\[\\[1, 2, 3\\]\\], shape \\[1, 3\\], float32\\)\n$")
consume(new_op "^3 samples, [0-9]+ slopes: 0 failures\n")
consume(new_layer "^[0-9]+ slopes: 0 failures\n.* temperature [0-9.]+\n$")
