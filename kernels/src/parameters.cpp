#include "parameters.h"

namespace larnn {

namespace {

// Reads two inputs, scale and shift [n], if the layer has that norm.
Scaling scaling(const Ort::ConstKernelInfo& info, int input, const char* name, bool wanted,
                int64_t n) {
  if (!wanted) return {};
  return {constant(info, input, (std::string(name) + "_scale").c_str(), {n}),
          constant(info, input + 1, (std::string(name) + "_shift").c_str(), {n})};
}

Norm norm_of(const std::string& name) {
  if (name == "none") return Norm::kNone;
  if (name == "affine") return Norm::kAffine;
  if (name == "layer") return Norm::kLayer;
  refuse("normalisation is '" + name + "', expected none, affine or layer");
}

}  // namespace

Parameters read_parameters(const Ort::ConstKernelInfo& info) {
  Parameters p{};
  const auto n64 = info.GetAttribute<int64_t>("hidden_size");
  p.n = static_cast<int>(n64);
  p.heads = static_cast<int>(info.GetAttribute<int64_t>("heads"));
  p.window_size = static_cast<int>(info.GetAttribute<int64_t>("window_size"));
  p.norm = norm_of(info.GetAttribute<std::string>("normalisation"));
  p.activate = info.GetAttribute<int64_t>("activate_keys_values") != 0;
  p.epsilon = info.GetAttribute<float>("epsilon");
  if (p.n < 1 || p.heads < 1 || p.window_size < 1 || p.n % p.heads != 0)
    refuse("hidden_size must be a positive multiple of heads, and window_size positive");
  p.query_x = constant(info, kQueryX, "query_x", {n64, n64});
  p.query_bias = constant(info, kQueryBias, "query_bias", {n64});
  p.gates_x = constant(info, kGatesX, "gates_x", {n64, 4 * n64});
  p.gates_bias = constant(info, kGatesBias, "gates_bias", {4 * n64});
  p.query_hidden = constant(info, kQueryHidden, "query_hidden", {n64, n64});
  p.gates_recurrent = constant(info, kGatesRecurrent, "gates_recurrent", {2 * n64, 4 * n64});
  p.output = constant(info, kOutput, "output", {n64, n64});
  p.output_bias = constant(info, kOutputBias, "output_bias", {n64});
  p.pair = constant(info, kPair, "pair", {n64, 2 * n64});
  p.pair_bias = constant(info, kPairBias, "pair_bias", {2 * n64});
  p.attention = scaling(info, kAttentionScale, "attention", p.norm == Norm::kLayer, n64);
  p.cell = scaling(info, kCellScale, "cell", p.norm != Norm::kNone, n64);
  p.hidden = scaling(info, kHiddenScale, "hidden", p.norm != Norm::kNone, n64);
  const bool entering = p.norm != Norm::kNone && p.activate;
  p.key = scaling(info, kKeyScale, "key", entering, n64);
  p.value = scaling(info, kValueScale, "value", entering, n64);
  return p;
}

}  // namespace larnn
