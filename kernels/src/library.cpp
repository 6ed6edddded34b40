// The library's entry point, which onnxruntime calls by its name, and the operators that it
// registers.
#include <cstring>
#include <vector>

#include "operator.h"

namespace {

// Each operator has a domain of its own, so that a graph can name those that it needs.
struct Domain {
  const char* name;
  const OrtCustomOp& (*made)();
};
constexpr Domain kDomains[] = {{"larnn", larnn::larnn_operator},
                               {"larnn.lstm", larnn::lstm_operator}};

void register_operators(OrtSessionOptions* options) {
  static const std::vector<Ort::CustomOpDomain> domains = [] {
    std::vector<Ort::CustomOpDomain> made;
    for (const Domain& domain : kDomains) {
      made.emplace_back(domain.name);
      made.back().Add(&domain.made());
    }
    return made;
  }();
  for (const Ort::CustomOpDomain& domain : domains) Ort::UnownedSessionOptions(options).Add(domain);
}

}  // namespace

extern "C" __attribute__((visibility("default"))) int larnn_has_domain(const char* name) {
  for (const Domain& domain : kDomains)
    if (std::strcmp(domain.name, name) == 0) return 1;
  return 0;
}

extern "C" __attribute__((visibility("default"))) OrtStatus* ORT_API_CALL
RegisterCustomOps(OrtSessionOptions* options, const OrtApiBase* base) {
  const OrtApi* api = base->GetApi(ORT_API_VERSION);
  if (api == nullptr) {  // an older onnxruntime: report it through the oldest interface that can
    return base->GetApi(1)->CreateStatus(ORT_NOT_IMPLEMENTED,
                                         "larnn-kernels needs onnxruntime 1.21 or newer");
  }
  Ort::InitApi(api);
  try {
    register_operators(options);
  } catch (const Ort::Exception& error) {
    return api->CreateStatus(error.GetOrtErrorCode(), error.what());
  }
  return nullptr;
}
