# Installs weft, then builds and runs examples/consumer against what was installed.
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

run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${work}/installed)
run(${CMAKE_COMMAND} -S ${SOURCE}/examples/consumer -B ${work}/build
    -D CMAKE_PREFIX_PATH=${work}/installed -D CMAKE_BUILD_TYPE=Release
    -D CMAKE_CXX_COMPILER=${CXX} "-DCMAKE_CXX_FLAGS=${FLAGS}")
run(${CMAKE_COMMAND} --build ${work}/build)
run(${work}/build/consumer)
if(NOT output STREQUAL "tensor([[1, 2, 3]], shape [1, 3], float32)\n")
  message(FATAL_ERROR "unexpected output: ${output}")
endif()
