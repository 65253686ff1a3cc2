# native/cpu/isa/*.cc are compiled once for each instruction set, each time inside the namespace that NT_ISA names; the
# CPU backend picks one of them when it starts.
file(GLOB ISA_SOURCES CONFIGURE_DEPENDS native/cpu/isa/*.cc)

# Inner loops written as acc += a * b, which have to become fused multiply-adds to be fast: name their files here.
# Everywhere else a product and a sum stay two roundings, so that the instruction sets agree to the bit.
set(ISA_FUSED_SOURCES direct.cc gemm.cc product.cc winograd.cc weights.cc)
foreach(source ${ISA_FUSED_SOURCES})
  set_source_files_properties(native/cpu/isa/${source} PROPERTIES COMPILE_OPTIONS -ffp-contract=fast)
endforeach()

# Archives, weakest first: the linker keeps the first copy of an inline function that several objects define. Archives come
# after the addon's own objects, so code that runs on every processor never gets a copy compiled for a newer one.
function(needletail_isa name)
  if(NOT ISA_SOURCES)
    return()
  endif()
  add_library(needletail_${name} STATIC ${ISA_SOURCES})
  target_link_libraries(needletail_${name} PRIVATE needletail_options)
  target_compile_definitions(needletail_${name} PRIVATE NT_ISA=${name})
  target_compile_options(needletail_${name} PRIVATE -Wno-psabi ${ARGN})  # wide vectors stay inside one file
  target_link_libraries(needletail PRIVATE needletail_${name})
endfunction()

if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  needletail_isa(baseline -march=x86-64-v2)
  needletail_isa(avx2 -march=x86-64-v3)
  needletail_isa(avx512 -march=x86-64-v4 -mprefer-vector-width=512)
  needletail_isa(avx512bf16 -march=x86-64-v4 -mavx512bf16 -mprefer-vector-width=512)
else()
  needletail_isa(baseline)
endif()
