// JSON's grammar of arrays and numbers, and the door for Python (service/larnn_service/wire/json_numbers.py).
#include "numbers.h"

#include "decimal.h"

namespace larnn {
namespace {

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

  bool number(float& value) {
    skip_space();
    Decimal decimal(at_, end_);
    if (!decimal.read(value)) return false;
    at_ = decimal.at();
    return true;
  }

 private:
  void skip_space() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
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

const char* value_of(std::string_view text, std::string_view key) {
  const size_t start = text.find(key);
  if (start == std::string_view::npos) return nullptr;
  size_t colon = start + key.size();
  if (colon < text.size() && text[colon] == ' ') ++colon;
  return colon < text.size() && text[colon] == ':' ? text.data() + colon + 1 : nullptr;
}

bool may_repeat(std::string_view behind, std::string_view key) {
  return behind.find(key) != std::string_view::npos || behind.find('\\') != std::string_view::npos;
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
