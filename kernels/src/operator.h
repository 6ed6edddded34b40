// onnxruntime's C++ interface, and what this library adds to it.
#pragma once

#define ORT_API_MANUAL_INIT
#include <onnxruntime_cxx_api.h>
#undef ORT_API_MANUAL_INIT

namespace larnn {

const OrtCustomOp& larnn_operator();
const OrtCustomOp& lstm_operator();

}  // namespace larnn
