// The C face of the few FAISS types that we use. Every function catches everything: no exception
// may reach Rust. 0 means done; otherwise `error` holds the reason, cut to its length.

#include <faiss/Clustering.h>
#include <faiss/IndexFlat.h>
#include <faiss/IndexIVF.h>
#include <faiss/IndexScalarQuantizer.h>
#include <faiss/impl/FaissException.h>
#include <faiss/impl/IDSelector.h>
#include <faiss/index_io.h>
#include <faiss/utils/utils.h>
#include <omp.h>

#include <cstdint>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <vector>

struct AnnIndex {
    std::unique_ptr<faiss::Index> index;
    // The same object as `index`, or null when it is a flat one.
    const faiss::IndexIVF* ivf;
};

struct AnnHit {
    uint32_t id;
    float score;
};

struct AnnShape {
    uint64_t rows;
    uint32_t dimension;
    // 0 for a flat index.
    uint32_t lists;
};

namespace {

void copy_text(const std::string& text, char* out, size_t len) {
    if (len == 0) {
        return;
    }
    const size_t n = std::min(text.size(), len - 1);
    std::memcpy(out, text.data(), n);
    out[n] = 0;
}

template <class Body>
int guarded(char* error, size_t error_len, Body body) noexcept {
    try {
        body();
        return 0;
    } catch (const faiss::FaissException& e) {
        copy_text(e.msg, error, error_len);
    } catch (const std::bad_alloc&) {
        copy_text("out of memory", error, error_len);
    } catch (const std::exception& e) {
        copy_text(e.what(), error, error_len);
    } catch (...) {
        copy_text("an exception of unknown type", error, error_len);
    }
    return 1;
}

// OpenMP keeps its thread count per calling thread, so it is set where it is needed and put back.
class Threads {
  public:
    explicit Threads(int count) : before_(omp_get_max_threads()) {
        omp_set_num_threads(count);
    }
    ~Threads() {
        omp_set_num_threads(before_);
    }
    Threads(const Threads&) = delete;
    Threads& operator=(const Threads&) = delete;

  private:
    int before_;
};

void require(bool holds, const char* what) {
    if (!holds) {
        throw std::runtime_error(what);
    }
}

void check_flat(const faiss::IndexFlat& flat) {
    require(flat.metric_type == faiss::METRIC_INNER_PRODUCT, "metric is not inner product");
    require(flat.d > 0 && flat.ntotal >= 0, "impossible shape");
    require(flat.codes.size() == size_t(flat.ntotal) * flat.d * sizeof(float),
            "length of the stored vectors does not fit their number");
}

// FAISS trusts what a file says of its own lengths; a search would then read past the end.
void check_ivf(const faiss::IndexIVF& ivf) {
    const auto* sq = dynamic_cast<const faiss::IndexIVFScalarQuantizer*>(&ivf);
    require(sq != nullptr, "not an index of inverted lists with scalar codes");
    require(ivf.metric_type == faiss::METRIC_INNER_PRODUCT, "metric is not inner product");
    require(ivf.d > 0 && ivf.ntotal >= 0 && ivf.nlist > 0, "impossible shape");
    require(sq->sq.qtype == faiss::ScalarQuantizer::QT_8bit && sq->sq.d == size_t(ivf.d) &&
                    sq->sq.trained.size() == 2 * size_t(ivf.d) && ivf.code_size == size_t(ivf.d),
            "codes are not 8 bits a dimension");
    const auto* coarse = dynamic_cast<const faiss::IndexFlat*>(ivf.quantizer);
    require(coarse != nullptr, "the lists' centres are not a flat index");
    check_flat(*coarse);
    require(coarse->d == ivf.d && size_t(coarse->ntotal) == ivf.nlist,
            "the lists' centres do not fit the lists");
    require(ivf.invlists != nullptr && ivf.invlists->nlist == ivf.nlist &&
                    ivf.invlists->code_size == ivf.code_size &&
                    ivf.invlists->compute_ntotal() == size_t(ivf.ntotal),
            "the lists do not hold the rows that the index counts");
}

AnnIndex* adopt(std::unique_ptr<faiss::Index> index) {
    const auto* ivf = dynamic_cast<const faiss::IndexIVF*>(index.get());
    if (ivf != nullptr) {
        check_ivf(*ivf);
    } else {
        const auto* flat = dynamic_cast<const faiss::IndexFlat*>(index.get());
        require(flat != nullptr, "neither a flat index nor one of inverted lists");
        check_flat(*flat);
    }
    require(index->ntotal <= faiss::idx_t(UINT32_MAX), "more rows than 32 bits can name");
    return new AnnIndex{std::move(index), ivf};
}

} // namespace

extern "C" {

int ann_build_flat(const float* rows, uint64_t n, uint32_t d, AnnIndex** out, char* error, size_t error_len) {
    return guarded(error, error_len, [&] {
        auto flat = std::make_unique<faiss::IndexFlatIP>(d);
        flat->add(faiss::idx_t(n), rows);
        *out = adopt(std::move(flat));
    });
}

int ann_build_ivf_sq8(const float* rows, uint64_t n, uint32_t d, uint32_t lists, uint32_t iterations,
                      uint32_t seed, uint32_t threads, AnnIndex** out, char* error, size_t error_len) {
    return guarded(error, error_len, [&] {
        const Threads scope(static_cast<int>(threads));
        auto coarse = std::make_unique<faiss::IndexFlatIP>(d);
        auto ivf = std::make_unique<faiss::IndexIVFScalarQuantizer>(
                coarse.get(), d, lists, faiss::ScalarQuantizer::QT_8bit, faiss::METRIC_INNER_PRODUCT);
        ivf->own_fields = true;
        coarse.release();
        ivf->cp.niter = static_cast<int>(iterations);
        ivf->cp.seed = static_cast<int>(seed & 0x7fffffffu);
        // Few rows a list only cost accuracy, which is measured; FAISS would print a warning.
        ivf->cp.min_points_per_centroid = 1;
        ivf->cp.max_points_per_centroid = 64;
        ivf->train(faiss::idx_t(n), rows);
        ivf->add(faiss::idx_t(n), rows);
        *out = adopt(std::move(ivf));
    });
}

// By distance and not by inner product: the lengths of rows differ, and a list that holds long
// rows and short ones says little of either.
int ann_centres(const float* rows, uint64_t n, uint32_t d, uint32_t lists, uint32_t iterations, uint32_t seed,
                uint32_t threads, float* centres, uint32_t* nearest, char* error, size_t error_len) {
    return guarded(error, error_len, [&] {
        const Threads scope(static_cast<int>(threads));
        faiss::ClusteringParameters params;
        params.niter = static_cast<int>(iterations);
        params.seed = static_cast<int>(seed & 0x7fffffffu);
        params.min_points_per_centroid = 1;
        params.max_points_per_centroid = 32;
        faiss::Clustering clustering(d, lists, params);
        faiss::IndexFlatL2 coarse(d);
        clustering.train(faiss::idx_t(n), rows, coarse);
        std::vector<faiss::idx_t> labels(n);
        coarse.assign(faiss::idx_t(n), rows, labels.data());
        std::memcpy(centres, clustering.centroids.data(), size_t(lists) * d * sizeof(float));
        for (uint64_t i = 0; i < n; i++) {
            require(labels[i] >= 0 && labels[i] < faiss::idx_t(lists), "a row has no nearest centre");
            nearest[i] = uint32_t(labels[i]);
        }
    });
}

int ann_load(const char* path, int mapped, AnnIndex** out, char* error, size_t error_len) {
    return guarded(error, error_len, [&] {
        const int flags = mapped ? faiss::IO_FLAG_MMAP_IFC : 0;
        *out = adopt(std::unique_ptr<faiss::Index>(faiss::read_index(path, flags)));
    });
}

int ann_save(const AnnIndex* index, const char* path, char* error, size_t error_len) {
    return guarded(error, error_len, [&] { faiss::write_index(index->index.get(), path); });
}

void ann_free(AnnIndex* index) {
    delete index;
}

AnnShape ann_shape(const AnnIndex* index) {
    return AnnShape{uint64_t(index->index->ntotal), uint32_t(index->index->d),
                    index->ivf == nullptr ? 0u : uint32_t(index->ivf->nlist)};
}

// Selector and parameters live on this stack frame for one call, so nothing outlives the bitmap
// and nothing is left behind. `bitmap` may be null; its bytes are those of little-endian words.
int ann_search(const AnnIndex* index, const float* query, uint32_t k, uint32_t probes, const uint8_t* bitmap,
               size_t bitmap_len, AnnHit* hits, uint32_t* found, char* error, size_t error_len) {
    return guarded(error, error_len, [&] {
        const Threads scope(1);
        std::vector<faiss::idx_t> ids(k);
        std::vector<float> scores(k);
        const faiss::IDSelectorBitmap bits(bitmap_len, bitmap);
        const auto* selector = bitmap == nullptr ? nullptr : &bits;
        faiss::SearchParametersIVF ivf;
        ivf.nprobe = probes;
        faiss::SearchParameters flat;
        faiss::SearchParameters* params = index->ivf == nullptr ? &flat : &ivf;
        params->sel = const_cast<faiss::IDSelectorBitmap*>(selector);
        index->index->search(1, query, k, scores.data(), ids.data(), params);
        uint32_t n = 0;
        for (uint32_t i = 0; i < k; i++) {
            // -1 pads an answer that is short; an id past the end comes from a damaged file.
            if (ids[i] >= 0 && ids[i] < index->index->ntotal) {
                hits[n++] = AnnHit{uint32_t(ids[i]), scores[i]};
            }
        }
        *found = n;
    });
}

int ann_compile_options(char* out, size_t len, char* error, size_t error_len) {
    return guarded(error, error_len, [&] { copy_text(faiss::get_compile_options(), out, len); });
}

} // extern "C"
