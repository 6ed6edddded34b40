// JSON's grammar of nested arrays of numbers; service/larnn_service/wire/json_numbers.py calls it.
#include "numbers.h"

#include "decimal.h"

namespace larnn {
namespace {

constexpr int kMostDepth = 3;

class NumberReader {
 public:
  NumberReader(const char* text, int64_t size, float* values, int64_t most_values, int64_t* rows,
               int64_t most_sequences)
      : at_(text),
        end_(text + size),
        values_(values),
        values_end_(values + most_values),
        rows_(rows),
        most_sequences_(most_sequences) {}

  // Returns the depth, or 0 if the text is not such an array.
  int64_t read_text() {
    const char* start = at_;
    int depth = 0;
    while (depth < kMostDepth && take('[')) ++depth;
    at_ = start;
    const bool right = depth == 3   ? read_sequences()
                       : depth == 2 ? read_sequence()
                       : depth == 1 ? read_row() && add_sequence(1)
                                    : false;
    skip_space();
    return right && at_ == end_ ? depth : 0;
  }

  int64_t sequences() const { return sequences_; }
  int64_t width() const { return width_; }

 private:
  bool read_sequences() {
    if (!take('[')) return false;
    do {
      if (!read_sequence()) return false;
    } while (take(','));
    return take(']');
  }

  bool read_sequence() {
    if (!take('[')) return false;
    int64_t rows = 0;
    do {
      if (!read_row()) return false;
      ++rows;
    } while (take(','));
    return take(']') && add_sequence(rows);
  }

  bool read_row() {
    if (!take('[')) return false;
    const float* first = values_;
    do {
      skip_space();
      if (values_ == values_end_ || !read_decimal(at_, end_, *values_)) return false;
      ++values_;
    } while (take(','));
    if (width_ == 0) width_ = values_ - first;
    return values_ - first == width_ && take(']');
  }

  bool add_sequence(int64_t rows) {
    if (sequences_ == most_sequences_) return false;
    rows_[sequences_++] = rows;
    return true;
  }

  bool take(char wanted) {
    skip_space();
    if (at_ == end_ || *at_ != wanted) return false;
    ++at_;
    return true;
  }

  void skip_space() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
  }

  const char* at_;
  const char* end_;
  float* values_;
  float* values_end_;
  int64_t* rows_;
  int64_t most_sequences_;
  int64_t sequences_ = 0;
  int64_t width_ = 0;
};

}  // namespace
}  // namespace larnn

int64_t larnn_read_numbers(const char* text, int64_t size, float* values, int64_t most_values,
                           int64_t* rows, int64_t most_sequences, int64_t* shape) {
  larnn::NumberReader reader(text, size, values, most_values, rows, most_sequences);
  const int64_t depth = reader.read_text();
  if (depth == 0) return 0;
  shape[0] = depth;
  shape[1] = reader.width();
  return reader.sequences();
}
