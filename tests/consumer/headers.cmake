# Compiles every public header alone, in C and C++, at the compiler's highest warning level. Also compiles the examples
# in the head comments of the C++ headers.
#   cmake -DCOMPILER=gcc -DHEADERS=folder -DWORK=folder -P headers.cmake
#
# Disabled warnings of clang's -Weverything do not indicate bugs: compatibility with older standards, padding,
# declarations between statements. The inline functions of the C headers use C casts, also in C++.
cmake_minimum_required(VERSION 3.24)
set(gnu -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wdouble-promotion -Wcast-align=strict -Wcast-qual
  -Wformat=2 -Wundef -Wredundant-decls -Wnull-dereference -Wlogical-op -Wduplicated-cond -Wduplicated-branches)
set(gnu_c ${gnu} -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wbad-function-cast -Wwrite-strings)
set(gnu_cxx ${gnu} -Wzero-as-null-pointer-constant -Wextra-semi -Wnon-virtual-dtor -Woverloaded-virtual -Wuseless-cast -Weffc++)
set(clang -Weverything -Wno-padded -Wno-reserved-identifier -Wno-reserved-macro-identifier -Wno-unknown-warning-option)
set(clang_c ${clang} -Wno-declaration-after-statement)
set(clang_cxx ${clang} -Wno-c++98-compat -Wno-c++98-compat-pedantic -Wno-pre-c++14-compat -Wno-pre-c++17-compat
  -Wno-weak-vtables)

function(compile standard language header flags)
  file(WRITE ${WORK}/header.${language} "#include <pufferc/${header}>\n#include <pufferc/${header}>\nextern int not_empty;\n")
  set(more "")
  if(language STREQUAL "cpp" AND NOT header MATCHES "hpp$")
    set(more -Wno-old-style-cast)
  endif()
  execute_process(COMMAND ${COMPILER} -std=${standard} -O2 -Werror ${flags} ${more} -I${HEADERS}/.. -c ${WORK}/header.${language}
    -o ${WORK}/header.o RESULT_VARIABLE failed ERROR_VARIABLE messages)
  if(failed)
    message(FATAL_ERROR "${COMPILER} -std=${standard} ${header}:\n${messages}")
  endif()
endfunction()

file(MAKE_DIRECTORY ${WORK})
execute_process(COMMAND ${COMPILER} --version OUTPUT_VARIABLE version ERROR_QUIET)
set(kind gnu)
if(version MATCHES "clang")
  set(kind clang)
endif()
file(GLOB headers RELATIVE ${HEADERS} ${HEADERS}/*.h)
foreach(header IN LISTS headers)
  compile(c11 c ${header} "${${kind}_c}")
  compile(c17 c ${header} "${${kind}_c}")
  compile(c++17 cpp ${header} "${${kind}_cxx}")
endforeach()
file(GLOB headers RELATIVE ${HEADERS} ${HEADERS}/*.hpp)
foreach(header IN LISTS headers)
  compile(c++17 cpp ${header} "${${kind}_cxx};-Wold-style-cast")
endforeach()
foreach(name pufferc render)
  compile(c++20 cpp ${name}.hpp "${${kind}_cxx};-Wold-style-cast")
  file(READ ${HEADERS}/${name}.hpp text)
  string(REGEX MATCH "//   #include.*\n//   }\n" example "${text}")
  string(REPLACE "\n//" "\n" example "\n${example}")
  file(WRITE ${WORK}/example_${name}.cpp "${example}")
  execute_process(COMMAND ${COMPILER} -std=c++17 -Wall -Wextra -Werror -I${HEADERS}/.. -c ${WORK}/example_${name}.cpp
    -o ${WORK}/example.o COMMAND_ERROR_IS_FATAL ANY)
endforeach()
