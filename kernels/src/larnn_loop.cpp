// The loop over time of one LARNN layer, compiled once for each level of vector instructions.
#include <cmath>

#include "attention.h"
#include "functions.h"
#include "larnn_tile.h"
#include "layer.h"
#include "norm.h"
#include "over_time.h"
#include "product.h"

namespace larnn::LARNN_LEVEL {
namespace {

class LarnnLoop final : public Layer {
 public:
  explicit LarnnLoop(const Parameters& p)
      : n_(p.n),
        k_(p.window_size),
        activate_(p.activate),
        query_scale_(kLog2E * std::sqrt(static_cast<float>(p.heads) / static_cast<float>(p.n))),
        from_x_(p.n, p.query_x, p.n, p.gates_x, 4 * p.n),
        from_hidden_(p.n, p.query_hidden, p.n, p.gates_recurrent, 4 * p.n),
        from_attended_(p.n, p.gates_recurrent + size_t{4} * p.n * p.n, 4 * p.n),
        output_(p.n, p.output, p.n),
        pair_(p.n, p.pair, 2 * p.n),
        x_bias_(padded(5 * p.n)),
        output_bias_(padded(p.n)),
        pair_bias_(padded(2 * p.n)),
        attend_(p.n, p.heads),
        attention_norm_(p.norm == Norm::kLayer ? p.norm : Norm::kNone, p.attention, p.n, p.epsilon),
        cell_norm_(p.norm, p.cell, p.n, p.epsilon),
        hidden_norm_(p.norm, p.hidden, p.n, p.epsilon),
        key_norm_(p.activate ? p.norm : Norm::kNone, p.key, p.n, p.epsilon),
        value_norm_(p.activate ? p.norm : Norm::kNone, p.value, p.n, p.epsilon) {
    copy(x_bias_.data(), p.query_bias, n_);
    copy(x_bias_.data() + n_, p.gates_bias, 4 * n_);
    copy(output_bias_.data(), p.output_bias, n_);
    copy(pair_bias_.data(), p.pair_bias, 2 * n_);
  }

  void run(const Batch& batch, const int* rows, int count) const override {
    Tile tile(n_, k_, attend_.scores_size(k_));
    over_time(*this, batch, rows, count, tile);
  }

  int input_size() const { return n_; }
  int hidden_size() const { return n_; }

  void begin(const Batch& batch, int row, int i, Tile& tile) const {
    tile.queues[i] = Queue(batch, row, n_, k_, tile.ring(i));
  }

  // Computes what the inputs add to query and gates.
  void project(int count, Tile& tile) const {
    multiply(from_x_, count, tile.x.rows(), {x_bias_.data(), 0}, tile.from_x.data,
             tile.from_x.stride);
  }

  void step(int active, Rows from_x, Tile& tile) const {
    const Lines& sums = tile.sums;  // of query and gates
    multiply(from_hidden_, active, tile.hidden.rows(), from_x, sums.data, sums.stride);
    for (int i = 0; i < active; ++i) attend(i, tile);
    multiply(output_, active, tile.attended.rows(), {output_bias_.data(), 0}, tile.projected.data,
             tile.projected.stride);
    for (int i = 0; i < active; ++i) {
      float* projected = tile.projected[i];
      attention_norm_([&](int at) { return elu(load(projected + at)); }, projected);
    }
    const Rows gates{sums.data + n_, sums.stride};
    multiply(from_attended_, active, tile.projected.rows(), gates, sums.data + n_, sums.stride);
    for (int i = 0; i < active; ++i) move(i, tile);
    multiply(pair_, active, tile.cell.rows(), {pair_bias_.data(), 0}, tile.pair.data,
             tile.pair.stride);
    for (int i = 0; i < active; ++i) {
      Queue& queue = tile.queues[i];
      enter(tile.pair[i], key_norm_, queue.key());
      enter(tile.pair[i] + n_, value_norm_, queue.value());
      queue.advance();
    }
  }

  void finish(const Batch& batch, int row, int i, Tile& tile) const {
    tile.queues[i].finish();
    const int64_t filled = batch.filled[batch.from[row]] + batch.lengths[row];
    batch.next_filled[batch.to[row]] = filled < k_ ? filled : k_;
  }

 private:
  void attend(int row, Tile& tile) const {
    const float* sums = tile.sums[row];
    float* query = tile.query[row];
    each(n_, [&](int at) { return elu(load(sums + at)) * query_scale_; }, query);
    const Queue& queue = tile.queues[row];
    attend_(query, queue.older(), queue.newer(), tile.scores, tile.attended[row]);
  }

  // Applies the gates: computes the next cell and hidden state.
  void move(int row, Tile& tile) const {
    const float *i = tile.sums[row] + n_, *f = i + n_, *o = f + n_, *g = o + n_;
    float *cell = tile.cell[row], *hidden = tile.hidden[row];
    cell_norm_(
        [&](int at) {
          return sigmoid_times(load(f + at), load(cell + at)) +
                 sigmoid_tanh(load(i + at), load(g + at));
        },
        cell);
    hidden_norm_([&](int at) { return sigmoid_times(load(o + at), elu(load(cell + at))); }, hidden);
  }

  // Writes a key or a value to its place in the queue.
  void enter(const float* projected, const Normalisation& norm, float* to) const {
    if (!activate_) return copy(to, projected, n_);
    norm([&](int at) { return elu(load(projected + at)); }, to);
  }

  int n_, k_;
  bool activate_;
  float query_scale_;
  Matrix from_x_, from_hidden_, from_attended_, output_, pair_;
  Buffer x_bias_, output_bias_, pair_bias_;
  Attention attend_;
  Normalisation attention_norm_, cell_norm_, hidden_norm_, key_norm_, value_norm_;
};

}  // namespace

std::unique_ptr<Layer> make_larnn(const Parameters& parameters) {
  return std::unique_ptr<Layer>(new LarnnLoop(parameters));
}

}  // namespace larnn::LARNN_LEVEL
