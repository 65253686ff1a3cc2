# Node-API's headers come from npm packages: nothing is downloaded, and no Node version's own headers are needed.
find_program(NODE_EXECUTABLE NAMES node nodejs REQUIRED)
execute_process(
  COMMAND ${NODE_EXECUTABLE} -p
    "[require('node-api-headers').include_dir, require('node-addon-api').include_dir, require('./package.json').version].join(';')"
  WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
  OUTPUT_VARIABLE NODE_API OUTPUT_STRIP_TRAILING_WHITESPACE
  RESULT_VARIABLE NODE_API_RESULT)
if(NOT NODE_API_RESULT EQUAL 0)
  message(FATAL_ERROR "needletail: expected the packages node-api-headers and node-addon-api. Run 'npm ci --ignore-scripts' first.")
endif()
list(POP_BACK NODE_API NEEDLETAIL_VERSION)
set(NODE_API_INCLUDE_DIRS ${NODE_API})
