// The loop over time of one LSTM layer, compiled once for each level of vector instructions.
#include "functions.h"
#include "layer.h"
#include "over_time.h"
#include "product.h"

namespace larnn::LARNN_LEVEL {
namespace {

// The working memory of one tile: up to eight rows that go through a step together.
struct Tile {
  Tile(int inputs, int n) {
    const size_t wide = padded(4 * n), one = padded(n), input = padded(inputs);
    Cutter memory(kBlockRows * (input + wide) + kTileRows * (2 * one + wide));
    x = memory.lines(kBlockRows, input);
    from_x = memory.lines(kBlockRows, wide);
    hidden = memory.lines(kTileRows, one);
    cell = memory.lines(kTileRows, one);
    gates = memory.lines(kTileRows, wide);
  }

  Lines x, from_x;     // [kBlockRows]: inputs, and what they add to the gates
  Lines hidden, cell;  // the state
  Lines gates;         // before their activation
};

class LstmLoop final : public Layer {
 public:
  explicit LstmLoop(const LstmParameters& p)
      : inputs_(p.inputs),
        n_(p.n),
        from_x_(transposed(p.from_x, 4 * p.n, p.inputs)),
        from_hidden_(transposed(p.from_hidden, 4 * p.n, p.n)),
        bias_(padded(4 * p.n)) {
    for (int i = 0; i < 4 * n_; ++i) bias_.data()[i] = p.bias[i] + p.bias[4 * n_ + i];
  }

  void run(const Batch& batch, const int* rows, int count) const override {
    Tile tile(inputs_, n_);
    over_time(*this, batch, rows, count, tile);
  }

  int input_size() const { return inputs_; }
  int hidden_size() const { return n_; }

  void begin(const Batch&, int, int, Tile&) const {}
  void finish(const Batch&, int, int, Tile&) const {}

  void project(int count, Tile& tile) const {
    multiply(from_x_, count, tile.x.rows(), {bias_.data(), 0}, tile.from_x.data,
             tile.from_x.stride);
  }

  void step(int active, Rows from_x, Tile& tile) const {
    multiply(from_hidden_, active, tile.hidden.rows(), from_x, tile.gates.data, tile.gates.stride);
    for (int row = 0; row < active; ++row) {
      const float *i = tile.gates[row], *o = i + n_, *f = o + n_, *g = f + n_;
      float *cell = tile.cell[row], *hidden = tile.hidden[row];
      each(
          n_,
          [&](int at) {
            return sigmoid_times(load(f + at), load(cell + at)) +
                   sigmoid_tanh(load(i + at), load(g + at));
          },
          cell);
      each(n_, [&](int at) { return sigmoid_tanh(load(o + at), load(cell + at)); }, hidden);
    }
  }

 private:
  int inputs_, n_;
  Matrix from_x_, from_hidden_;
  Buffer bias_;
};

}  // namespace

std::unique_ptr<Layer> make_lstm(const LstmParameters& parameters) {
  return std::unique_ptr<Layer>(new LstmLoop(parameters));
}

}  // namespace larnn::LARNN_LEVEL
