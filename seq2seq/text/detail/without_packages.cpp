// In place of subwords.cpp and gunzip.cpp where there is neither SentencePiece nor zlib
// (WEFT_PORTABLE): whoever asks for subwords or hands over gzip data gets an Error.
#include <weft/core/detail/check.h>
#include <weft/seq2seq/text/detail/gunzip.h>
#include <weft/seq2seq/text/subwords.h>

namespace weft {
namespace {

void refuse_subwords() { check(false, "subwords: this weft was built without SentencePiece"); }

}  // namespace

int64_t fewest_subwords(std::span<const std::string>) {
  refuse_subwords();
  return 0;
}

std::vector<std::string> learn_subwords(std::span<const std::string>, int64_t, bool) {
  refuse_subwords();
  return {};
}

struct SubwordCoder::Processor {};
SubwordCoder::SubwordCoder(const std::vector<std::string>&, const std::vector<std::string>&) {
  refuse_subwords();
}
SubwordCoder::~SubwordCoder() = default;
std::vector<int64_t> SubwordCoder::encode(const std::string&) const { return {}; }
std::string SubwordCoder::decode(std::span<const int64_t>) const { return {}; }

struct Gunzip::Stream {};
Gunzip::Gunzip(const std::string& name) {
  check(false, "read: {} holds gzip data; this weft was built without zlib", name);
}
Gunzip::~Gunzip() = default;
void Gunzip::unpack(std::string&, std::string&) {}
bool Gunzip::holds_more() const { return false; }
void Gunzip::check_whole() const {}

}  // namespace weft
