# node-gyp's and prebuildify's door to CMakeLists.txt: one target whose action runs CMake. It writes build/Release/needletail.node.
{
  'targets': [
    {
      'target_name': 'cmake',
      'type': 'none',
      'actions': [
        {
          'action_name': 'cmake',
          'inputs': ['CMakeLists.txt'],
          # A name that never exists: CMake decides itself what is out of date.
          'outputs': ['<(PRODUCT_DIR)/.always'],
          'action': ['node', 'scripts/build.mjs'],
          'message': 'Building with CMake'
        }
      ]
    }
  ]
}
