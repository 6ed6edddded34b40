// JSON's grammar of arrays and numbers, and the door for Python (service/backend/numbers.py).
#include "numbers.h"

#include <charconv>
#include <cmath>

namespace larnn {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

class Reader {
 public:
  Reader(const char* text, const char* end) : at_(text), end_(end) {}

  const char* at() const { return at_; }

  bool take(char wanted) {
    skip_space();
    if (at_ == end_ || *at_ != wanted) return false;
    ++at_;
    return true;
  }

  // Rounded as Python does it: to double precision, then to single.
  bool number(float& value) {
    skip_space();
    if (!is_json_number()) return false;
    double exact = 0;
    const auto [rest, error] = std::from_chars(at_, end_, exact);
    if (error != std::errc()) return false;
    at_ = rest;
    value = static_cast<float>(exact);
    return std::isfinite(value);
  }

 private:
  void skip_space() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
  }

  // from_chars takes more than JSON does: inf, 01, 1. and .5 in all their forms.
  bool is_json_number() const {
    const char* p = at_;
    if (p != end_ && *p == '-') ++p;
    const char* first = p;
    while (p != end_ && is_digit(*p)) ++p;
    if (p == first || (*first == '0' && p - first > 1)) return false;
    return p == end_ || *p != '.' || (end_ - p > 1 && is_digit(p[1]));
  }

  const char* at_;
  const char* end_;
};

bool read_step(Reader& reader, const Room& room, size_t& used, size_t& width) {
  if (!reader.take('[')) return false;
  const size_t first = used;
  do {
    if (used == room.most_values || !reader.number(room.values[used])) return false;
    ++used;
  } while (reader.take(','));
  if (width == 0) width = used - first;
  return used - first == width && reader.take(']');
}

bool read_sequence(Reader& reader, const Room& room, size_t& used, Sequences& found) {
  if (found.count == room.most_sequences || !reader.take('[')) return false;
  int64_t steps = 0;
  do {
    if (!read_step(reader, room, used, found.width)) return false;
    ++steps;
  } while (reader.take(','));
  room.steps[found.count++] = steps;
  return reader.take(']');
}

}  // namespace

bool read_sequences(const char* text, const char* end, const Room& room, Sequences& found) {
  Reader reader(text, end);
  size_t used = 0;
  if (!reader.take('[')) return false;
  do {
    if (!read_sequence(reader, room, used, found)) return false;
  } while (reader.take(','));
  if (!reader.take(']')) return false;
  found.end = reader.at();
  return true;
}

bool read_steps(const char* text, const char* end, const Room& room, Sequences& found) {
  Reader reader(text, end);
  size_t used = 0;
  if (!read_sequence(reader, room, used, found)) return false;
  found.end = reader.at();
  return true;
}

}  // namespace larnn

// Returns how many sequences text[start, size) begins with, 0 where it refuses; their width goes to
// shape[0], where they end to shape[1].
extern "C" __attribute__((visibility("default"))) int64_t
larnn_read_sequences(const char* text, int64_t start, int64_t size, float* values,
                     int64_t most_values, int64_t* steps, int64_t most_sequences, int64_t* shape) {
  larnn::Sequences found;
  const larnn::Room room{values, static_cast<size_t>(most_values), steps,
                         static_cast<size_t>(most_sequences)};
  if (!larnn::read_sequences(text + start, text + size, room, found)) return 0;
  shape[0] = static_cast<int64_t>(found.width);
  shape[1] = found.end - text;
  return static_cast<int64_t>(found.count);
}
