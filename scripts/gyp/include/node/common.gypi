# With --nodedir=scripts/gyp, node-gyp downloads no headers: CMake takes Node-API's from the package node-api-headers.
{
  'target_defaults': {
    'default_configuration': 'Release',
    'configurations': { 'Debug': {}, 'Release': {} }
  }
}
