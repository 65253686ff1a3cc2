# Where the addon is put, and how it finds what it needs: oneDNN (of a wheel) and the OpenMP runtime lie beside it, so a
# prebuild runs on a machine without a compiler. $ORIGIN finds them there.
set_target_properties(needletail PROPERTIES
  PREFIX "" SUFFIX ".node"
  LIBRARY_OUTPUT_DIRECTORY ${NEEDLETAIL_OUTPUT}
  BUILD_RPATH "$ORIGIN" INSTALL_RPATH "$ORIGIN" BUILD_WITH_INSTALL_RPATH ON)
set(RUNTIME_LIBRARIES ${ONEDNN_LIBRARIES})
execute_process(COMMAND ${CMAKE_CXX_COMPILER} -print-file-name=libgomp.so.1
  OUTPUT_VARIABLE GOMP_LIBRARY OUTPUT_STRIP_TRAILING_WHITESPACE)
if(IS_ABSOLUTE "${GOMP_LIBRARY}")
  file(REAL_PATH ${GOMP_LIBRARY} GOMP_FILE)
  list(APPEND RUNTIME_LIBRARIES ${GOMP_LIBRARY})
endif()

foreach(library ${RUNTIME_LIBRARIES})
  get_filename_component(name ${library} NAME)
  file(REAL_PATH ${library} file)
  add_custom_command(OUTPUT ${NEEDLETAIL_OUTPUT}/${name}
    COMMAND ${CMAKE_COMMAND} -E copy ${file} ${NEEDLETAIL_OUTPUT}/${name} DEPENDS ${file} VERBATIM)
  list(APPEND COPIES ${NEEDLETAIL_OUTPUT}/${name})
endforeach()
add_custom_target(needletail_runtime ALL DEPENDS ${COPIES})
add_dependencies(needletail needletail_runtime)
