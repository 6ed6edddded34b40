// The library's only door: onnxruntime calls it by this name.
#include "operator.h"

extern "C" __attribute__((visibility("default"))) OrtStatus* ORT_API_CALL
RegisterCustomOps(OrtSessionOptions* options, const OrtApiBase* base) {
  const OrtApi* api = base->GetApi(ORT_API_VERSION);
  if (api == nullptr) {  // an older onnxruntime: say so through the oldest interface that has it
    return base->GetApi(1)->CreateStatus(ORT_NOT_IMPLEMENTED,
                                         "larnn-kernels needs onnxruntime 1.21 or newer");
  }
  Ort::InitApi(api);
  try {
    larnn::register_operator(options);
  } catch (const Ort::Exception& error) {
    return api->CreateStatus(error.GetOrtErrorCode(), error.what());
  }
  return nullptr;
}
