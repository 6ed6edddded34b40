// What the operators' kernels share: a layer, rows of a batch, and where their state is.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "layer.h"
#include "operator.h"

namespace larnn {

using Shape = std::vector<int64_t>;

// Throw std::invalid_argument, which the operator hands to onnxruntime as its status.
[[noreturn]] void refuse(const std::string& what);
void expect(const char* name, const Shape& found, const Shape& want);
std::string text(const Shape& shape);

Shape shape_of(const Ort::KernelContext& context, int input);

template <typename T>
const T* input(const Ort::KernelContext& context, int index, const char* name, const Shape& shape) {
  const Ort::ConstValue value = context.GetInput(index);
  expect(name, value.GetTensorTypeAndShapeInfo().GetShape(), shape);
  return value.GetTensorData<T>();
}

template <typename T>
T* output(const Ort::KernelContext& context, int index, const Shape& shape) {
  return context.GetOutput(index, shape).GetTensorMutableData<T>();
}

// A constant input, read once.
const float* constant(const Ort::ConstKernelInfo& info, int input, const char* name,
                      const Shape& shape);

// The inputs that all layers begin with: x [batch, steps, inputs], lengths [batch], and the rows of
// the state tensors that a run reads and writes, empty where these have a row for each of x.
enum RowInput { kX, kLengths, kRows, kNextRows, kRowInputs };

// A batch, and the row numbers that it points to.
struct Run {
  Batch batch{};
  std::vector<int64_t> each;
};

// Reads these inputs; `state` is one of the state tensors, whose rows come first. Returns how many
// these are.
int64_t open_rows(const Ort::KernelContext& context, int inputs, int state, Run& run);

// All rows of the batch, in tiles, on the threads that the session has.
void run_tiles(const Ort::KernelContext& context, const Layer& layer, const Batch& batch);

// No exception leaves the library: onnxruntime may be built with another C++ runtime.
template <typename Work>
OrtStatusPtr guarded(const char* operator_name, const Work& work) {
  try {
    work();
  } catch (const std::exception& error) {
    const std::string what = std::string(operator_name) + ": " + error.what();
    return Ort::GetApi().CreateStatus(ORT_INVALID_ARGUMENT, what.c_str());
  }
  return nullptr;
}

// An operator by its kernel, which says its name, its inputs and its outputs.
template <typename Kernel>
struct Operator : Ort::CustomOpBase<Operator<Kernel>, Kernel, true> {
  OrtStatusPtr CreateKernelV2(const OrtApi&, const OrtKernelInfo* info, void** kernel) const {
    return guarded(Kernel::kName, [&] { *kernel = new Kernel(Ort::ConstKernelInfo(info)); });
  }
  const char* GetName() const { return Kernel::kName; }
  size_t GetInputTypeCount() const { return Kernel::kInputs; }
  ONNXTensorElementDataType GetInputType(size_t index) const {
    return (index > kX && index < kRowInputs) || Kernel::input_counts(index)
               ? ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64
               : ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
  }
  OrtCustomOpInputOutputCharacteristic GetInputCharacteristic(size_t index) const {
    return index >= Kernel::kRequired ? INPUT_OUTPUT_OPTIONAL : INPUT_OUTPUT_REQUIRED;
  }
  size_t GetOutputTypeCount() const { return Kernel::kOutputs; }
  ONNXTensorElementDataType GetOutputType(size_t index) const {
    return Kernel::output_counts(index) ? ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64
                                        : ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
  }
};

}  // namespace larnn
