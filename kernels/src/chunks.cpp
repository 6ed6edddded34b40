// A frame's message, its numbers, and the door for Python (service/larnn_service/backend/chunks.py).
#include "chunks.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string_view>

#include "numbers.h"

namespace larnn {
namespace {

using std::string_view;

constexpr string_view kKey = "\"steps\"";
constexpr unsigned char kFinalText = 0x81, kFinalBinary = 0x82, kMasked = 0x80;
constexpr size_t kMask = 4, kLong = 126;

// The frame's message, without its mask, in `message`; its size, or 0 where the frame is not plain.
size_t unmasked(const char* frame, size_t size, size_t largest, char* message) {
  const auto byte = [&](size_t at) { return static_cast<unsigned char>(frame[at]); };
  if (size < 2 + kMask || (byte(0) != kFinalText && byte(0) != kFinalBinary)) return 0;
  if (byte(1) < kMasked || byte(1) > kMasked + kLong) return 0;
  size_t length = byte(1) - kMasked, start = 2;
  if (length == kLong) {
    length = size_t{byte(2)} << 8 | byte(3);
    start = 4;
  }
  start += kMask;
  if (size < start || size - start != length || length > largest) return 0;
  const char* mask = frame + start - kMask;
  for (size_t i = 0; i < length; ++i) message[i] = frame[start + i] ^ mask[i % kMask];
  return length;
}

bool read_binary(string_view message, const ChunkRoom& room, FoundChunk& found) {
  uint64_t offset = 0;
  if (message.size() <= sizeof offset || (message.size() - sizeof offset) % sizeof(float) != 0)
    return false;
  std::memcpy(&offset, message.data(), sizeof offset);
  const size_t count = (message.size() - sizeof offset) / sizeof(float);
  if (offset > INT64_MAX || count > room.most) return false;
  std::memcpy(room.values, message.data() + sizeof offset, count * sizeof(float));
  if (!std::all_of(room.values, room.values + count, [](float x) { return std::isfinite(x); }))
    return false;
  found.kind = FoundChunk::kBinary;
  found.offset = static_cast<int64_t>(offset);
  found.count = static_cast<int64_t>(count);
  return true;
}

bool read_text(char* message, size_t size, const ChunkRoom& room, FoundChunk& found) {
  const char* value = value_of({message, size}, kKey);
  if (value == nullptr) return false;
  int64_t steps = 0;
  Sequences sequence;
  if (!read_steps(value, message + size, {room.values, room.most, &steps, 1}, sequence))
    return false;
  const string_view behind(sequence.end, message + size - sequence.end);
  if (may_repeat(behind, kKey)) return false;
  char* rest = message + (value - message);
  *rest++ = '[';  // in place of the numbers, which take more room
  *rest++ = ']';
  std::memmove(rest, behind.data(), behind.size());
  found.kind = FoundChunk::kText;
  found.width = static_cast<int64_t>(sequence.width);
  found.count = steps * found.width;
  found.end = rest + behind.size() - message;
  return true;
}

}  // namespace

bool read_chunk(const char* frame, size_t size, size_t largest, const ChunkRoom& room,
                FoundChunk& found) {
  const size_t length = unmasked(frame, size, largest, room.text);
  if (length == 0) return false;
  return static_cast<unsigned char>(frame[0]) == kFinalBinary
             ? read_binary({room.text, length}, room, found)
             : read_text(room.text, length, room, found);
}

}  // namespace larnn

// Reads each frame behind the values and the text of those before it: `text` has room for all
// frames. Returns how many values there are.
extern "C" __attribute__((visibility("default"))) int64_t
larnn_read_chunks(int64_t count, const char* const* frames, const int64_t* sizes, int64_t largest,
                  float* values, int64_t most, char* text, larnn::FoundChunk* found) {
  int64_t used = 0, written = 0;
  for (int64_t i = 0; i < count; ++i) {
    larnn::FoundChunk chunk;
    const larnn::ChunkRoom room{values + used, static_cast<size_t>(most - used), text + written};
    if (!larnn::read_chunk(frames[i], sizes[i], largest, room, chunk)) chunk = larnn::FoundChunk();
    chunk.first = used;
    chunk.start = written;
    chunk.end += written;
    used += chunk.count;
    written = chunk.end;
    found[i] = chunk;
  }
  return used;
}
