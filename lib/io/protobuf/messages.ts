// The messages of files in protobuf's form. This is the one module that knows the package; it is loaded by the first file that is read
// or written, as it takes as long to load as half of the library.
export { create, fromBinary, toBinary } from '@bufbuild/protobuf'
export * as onnx from './onnx_pb.js'
export * as tensorboard from './event_pb.js'
