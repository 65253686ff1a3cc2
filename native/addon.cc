// The only file that knows Node-API.
#include <node_api.h>

NAPI_MODULE_INIT() {
  napi_value version = nullptr;
  napi_create_string_utf8(env, NEEDLETAIL_VERSION, NAPI_AUTO_LENGTH, &version);
  napi_set_named_property(env, exports, "version", version);
  return exports;
}
