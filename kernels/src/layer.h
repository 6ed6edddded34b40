// A recurrent layer, independent of the processor: its parameters, and the inputs and outputs of a
// run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace larnn {

enum class Norm { kNone, kAffine, kLayer };

// What follows ELU or the gates: x·scale + shift, where layer norm first makes x (x - mean) /
// deviation.
struct Scaling {
  const float* scale;
  const float* shift;
};

// A LARNN layer. Row-major weights [inputs, outputs] and sizes, as the operator's inputs and
// attributes have them. n = hidden size. Queries, keys and values have heads innermost. Gates in
// the order i, f, o, g.
struct Parameters {
  int n, heads, window_size;
  Norm norm;
  bool activate;                      // ELU and norm on keys and values
  float epsilon;                      // of layer norm
  const float *query_x, *query_bias;  // [n, n], [n]
  const float *gates_x, *gates_bias;  // [n, 4n], [4n]
  const float* query_hidden;          // [n, n]
  const float* gates_recurrent;       // [2n, 4n], of [hidden, attended]
  const float *output, *output_bias;  // [n, n], [n]
  const float *pair, *pair_bias;      // [n, 2n], [2n], of key and value
  Scaling attention, cell, hidden, key, value;
};

// An LSTM layer, with its weights and its order of gates, i, o, f, g, as ONNX's own operator has
// them.
struct LstmParameters {
  int inputs, n;
  const float* from_x;       // [4n, inputs]
  const float* from_hidden;  // [4n, n]
  const float* bias;         // [8n], two of each gate, to be added
};

// A batch. A step has as many floats as the layer has inputs, a state has n, and a queue has
// window_size · n with the newest slot last. Row i of the batch has its state in row from[i] of the
// state tensors, and its next state goes to row to[i] of the next state tensors. Both may be the
// same memory, provided that no row is both read and written. An LSTM has no queue.
struct Batch {
  int rows, steps;
  const float* x;          // [rows, steps, inputs]
  const int64_t* lengths;  // [rows], 0 to steps
  const int64_t *from, *to;
  const float *hidden, *cell, *keys, *values;
  const int64_t* filled;
  float* hiddens;  // [rows, steps, n], zero beyond a row's length
  float *next_hidden, *next_cell, *next_keys, *next_values;
  int64_t* next_filled;
};

inline constexpr int kTileRows = 8;

// A layer may be used by several threads at the same time.
class Layer {
 public:
  virtual ~Layer() = default;

  // Runs up to kTileRows rows of a batch, given by index with the longest first. Tiles are
  // independent.
  virtual void run(const Batch& batch, const int* rows, int count) const = 0;
};

struct Training;
class TrainingPass;

// The code that was compiled for one level of vector instructions.
struct Level {
  const char* name;
  int lanes;  // floats in a vector
  bool (*runs_here)();
  std::unique_ptr<Layer> (*make_larnn)(const Parameters&);
  std::unique_ptr<Layer> (*make_lstm)(const LstmParameters&);
  std::unique_ptr<TrainingPass> (*make_pass)(const Training&, bool back);
};

// The best level that this processor supports, or the one that LARNN_KERNELS_LEVEL names in the
// environment. Throws std::runtime_error if that one is unknown or not supported here.
const Level& choose_level();

// The names of all levels that this processor supports, the best first.
std::string levels_here();

}  // namespace larnn
