#include <weft/core/detail/bytes.h>
#include <weft/seq2seq/lab/sentence_tables.h>

namespace weft {

void SentenceTables::add(const SentenceTables& next) {
  agreement.add(next.agreement);
  faithfulness.add(next.faithfulness);
  heads.add(next.heads);
}

std::string SentenceTables::bytes() const {
  std::string bytes = to_bytes(agreement.rows_.size());
  for (const AgreementTable::Row& r : agreement.rows_)
    bytes += to_bytes(r.measure, r.layer, r.head, r.step, r.counts);
  bytes += to_bytes(faithfulness.rows_.size());
  for (const FaithfulnessTable::Row& r : faithfulness.rows_)
    bytes += to_bytes(r.measure, r.layer, r.sums, r.counts);
  bytes += to_bytes(heads.studies_, heads.sums_.size());
  for (const auto& [place, numbers] : heads.sums_) {
    bytes += to_bytes(place);
    for (const HeadTable::Layers& layers : numbers) bytes += to_bytes(layers);
  }
  return bytes;
}

SentenceTables SentenceTables::from_bytes(std::string_view bytes) {
  FromBytes from(bytes);
  SentenceTables tables;
  for (auto n = from.get<size_t>(); n > 0; --n) {
    AgreementTable::Row& r = tables.agreement.rows_.emplace_back();
    from.take_all(r.measure, r.layer, r.head, r.step, r.counts);
  }
  for (auto n = from.get<size_t>(); n > 0; --n) {
    FaithfulnessTable::Row& r = tables.faithfulness.rows_.emplace_back();
    from.take_all(r.measure, r.layer, r.sums, r.counts);
  }
  from.take_all(tables.heads.studies_);
  for (auto n = from.get<size_t>(); n > 0; --n)
    for (HeadTable::Layers& layers : tables.heads.sums_[from.get<Place>()]) from.take_all(layers);
  return tables;
}

}  // namespace weft
