# The target pufferc_device: the pool on a GPU and the device code of the games. Included after the language CUDA is
# enabled. It takes minutes to compile, so it is not built by default. A build for all GPUs has PTX only, which the driver
# compiles when a game is first used, and caches.
find_package(CUDAToolkit REQUIRED)
include(${CMAKE_CURRENT_LIST_DIR}/flags.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/device_games.cmake)
set(device_architectures ${CMAKE_CUDA_ARCHITECTURES})
if(PUFFERC_CUDA_ARCHITECTURES_DEFAULT)
  set(device_architectures 75-virtual)
endif()
pufferc_device_games(device_sources ${CMAKE_CURRENT_BINARY_DIR}/device ${device_games})
add_library(pufferc_device STATIC EXCLUDE_FROM_ALL ${CMAKE_CURRENT_LIST_DIR}/device_pool.cu ${device_sources})
set_target_properties(pufferc_device PROPERTIES CUDA_STANDARD 17 CUDA_STANDARD_REQUIRED ON
  CUDA_ARCHITECTURES "${device_architectures}" POSITION_INDEPENDENT_CODE ON CUDA_VISIBILITY_PRESET hidden)
target_include_directories(pufferc_device
  PUBLIC ${PROJECT_SOURCE_DIR}/csrc PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/device)
target_compile_options(pufferc_device PRIVATE ${PUFFERC_CUDA_FLAGS} -diag-suppress=177)  # unused functions of games
target_link_libraries(pufferc_device PUBLIC pufferc::core CUDA::cudart_static)
