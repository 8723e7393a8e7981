# What `cmake --install` puts in place, so that another project's find_package(weft) finds it.
include(CMakePackageConfigHelpers)

set(weft_package ${CMAKE_INSTALL_LIBDIR}/cmake/weft)
install(TARGETS weft EXPORT weftTargets)
install(EXPORT weftTargets NAMESPACE weft:: DESTINATION ${weft_package})
configure_package_config_file(cmake/weftConfig.cmake.in weftConfig.cmake
                              INSTALL_DESTINATION ${weft_package})
write_basic_package_version_file(weftConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/weftConfig.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/weftConfigVersion.cmake
        DESTINATION ${weft_package})

# Kernels and helpers of the library's own sources stay behind.
install(DIRECTORY core autograd nn optim DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/weft
        FILES_MATCHING PATTERN "*.h"
        PATTERN kernels EXCLUDE
        PATTERN ops EXCLUDE
        PATTERN backtrace.h EXCLUDE
        PATTERN check.h EXCLUDE
        PATTERN safetensors_header.h EXCLUDE)
install(FILES weft.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/weft)
