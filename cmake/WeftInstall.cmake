# What `cmake --install` puts in place, so that another project's find_package(weft) finds it.
include(CMakePackageConfigHelpers)

set(weft_package ${CMAKE_INSTALL_LIBDIR}/cmake/weft)
install(TARGETS weft EXPORT weftTargets)
install(EXPORT weftTargets NAMESPACE weft:: DESTINATION ${weft_package})
get_target_property(weft_type weft TYPE)
configure_package_config_file(cmake/weftConfig.cmake.in weftConfig.cmake
                              INSTALL_DESTINATION ${weft_package})
write_basic_package_version_file(weftConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/weftConfig.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/weftConfigVersion.cmake
        DESTINATION ${weft_package})

# For builds without CMake. Paths start from the file's own, so the whole can be moved. A static
# library leaves to the program what it needs itself.
file(RELATIVE_PATH weft_pc_up ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" weft_pc_up ${weft_pc_up})
list(JOIN BLAS_LIBRARIES " " weft_blas)
if(weft_type STREQUAL STATIC_LIBRARY)
  set(weft_pc_requires "Requires: fmt")
  set(weft_pc_libs "${weft_blas} ")
endif()
configure_file(cmake/weft.pc.in weft.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/weft.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# What is in folders detail/ and kernels/ is the library's own and stays behind.
install(DIRECTORY core autograd nn optim DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/weft
        FILES_MATCHING PATTERN "*.h"
        PATTERN detail EXCLUDE PATTERN kernels EXCLUDE)
install(FILES weft.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/weft)

# find_package(weft COMPONENTS seq2seq)
if(TARGET weft_seq2seq)
  set_target_properties(weft_seq2seq PROPERTIES EXPORT_NAME seq2seq)
  install(TARGETS weft_seq2seq EXPORT weftSeq2seqTargets)
  install(EXPORT weftSeq2seqTargets NAMESPACE weft:: DESTINATION ${weft_package})
  if(TARGET weft_program)
    install(TARGETS weft_program)
  endif()
  install(DIRECTORY seq2seq DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/weft
          FILES_MATCHING PATTERN "*.h" PATTERN detail EXCLUDE)
  install(FILES seq2seq.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/weft)
endif()

# find_package(weft COMPONENTS mpi)
if(TARGET weft_mpi)
  set_target_properties(weft_mpi PROPERTIES EXPORT_NAME mpi)
  install(TARGETS weft_mpi EXPORT weftMpiTargets)
  install(EXPORT weftMpiTargets NAMESPACE weft:: DESTINATION ${weft_package})
endif()
