/* The C interface of derefnet-core: targets in a stream of 11x11 frames.
 *
 * Written by `cargo xtask header` from core/src/capi; do not edit.
 *
 *     static _Alignas(DREF_STREAM_ALIGNMENT) unsigned char memory[DREF_EDGE_STREAM_BYTES];
 *     DrefStream *stream;
 *     DrefStatus status =
 *         dref_edge_stream_init(memory, sizeof memory, file, length, NULL, &stream);
 *     while (status >= 0 && next_frame(readings)) {
 *         DrefAnswer answer;
 *         status = dref_push(stream, readings, NULL, &answer);
 *         if (status == DREF_OK) use(&answer);
 *     }
 *
 * Nothing is allocated, and nothing is global: streams do not know of each other.
 */

#ifndef DEREFNET_H
#define DEREFNET_H

#include <stddef.h>
#include <stdint.h>

#if UINTPTR_MAX > 0xFFFFFFFF
#define DREF_64_BIT
#endif

/*
 Readings of a frame: 11 rows of 11.
 */
#define DREF_FRAME_READINGS 121

/*
 Readings of a window: five frames.
 */
#define DREF_WINDOW_READINGS 605

/*
 Cells of a map: 33 rows of 33.
 */
#define DREF_MAP_CELLS 1089

/*
 Most targets of an answer.
 */
#define DREF_MAX_TARGETS 8

/*
 Alignment of stream memory.
 */
#define DREF_STREAM_ALIGNMENT 16

#if defined(DREF_64_BIT)
/*
 Bytes of an edge stream.
 */
#define DREF_EDGE_STREAM_BYTES 130048
#endif

#if !defined(DREF_64_BIT)
/*
 Bytes of an edge stream.
 */
#define DREF_EDGE_STREAM_BYTES 126976
#endif

#if defined(DREF_64_BIT)
/*
 Bytes of a paper stream.
 */
#define DREF_PAPER_STREAM_BYTES 229376
#endif

#if !defined(DREF_64_BIT)
/*
 Bytes of a paper stream.
 */
#define DREF_PAPER_STREAM_BYTES 225792
#endif

#if defined(DREF_64_BIT)
/*
 Bytes of a head stream.
 */
#define DREF_HEAD_STREAM_BYTES 57344
#endif

#if !defined(DREF_64_BIT)
/*
 Bytes of a head stream.
 */
#define DREF_HEAD_STREAM_BYTES 54272
#endif

/*
 The network's map, read with dref_map; an answer then holds no targets.
 */
#define DREF_READOUT_GRID 0

/*
 The fit of point sources with starts of its own; uses no network.
 */
#define DREF_READOUT_FIT 1

/*
 What the offset head claims.
 */
#define DREF_READOUT_HEAD 2

/*
 The fit started from the head's claims.
 */
#define DREF_READOUT_HEAD_FIT 3

/*
 The same, the head's precision taken as prior knowledge.
 */
#define DREF_READOUT_HEAD_PRIOR 4

/*
 A stream of frames in the caller's memory.
 */
typedef struct DrefStream DrefStream;

/*
 What a function returns: 0 done, 1 no answer yet, below 0 an error.
 */
typedef int32_t DrefStatus;

/*
 What a stream works with. All zeros is valid: the map, and the beliefs of the model file.
 */
typedef struct {
  /*
   How targets are found: one of DREF_READOUT_...
   */
  uint32_t readout;
  /*
   Fewest targets that the fit seeks, 1 to most_targets; 0 for its usual 1.
   */
  uint32_t fewest_targets;
  /*
   Most targets that the fit seeks, up to DREF_MAX_TARGETS; 0 for its usual 4.
   */
  uint32_t most_targets;
  /*
   Standard deviation of the noise in counts where it is known, up to 1e6; 0 to estimate it from
   every window.
   */
  float noise;
  /*
   Model evaluations of the fit for a window at most, which bounds its time; 4 or more, 0 for no
   bound.
   */
  uint32_t window_evaluations;
  /*
   What the sensor adds to every count, so that noise stays above 0; subtracted first.
   */
  uint16_t pedestal;
  /*
   Reading from which a pixel is saturated and not believed; 0 for none.
   */
  uint16_t saturation;
} DrefConfig;

/*
 What is in a model file.
 */
typedef struct {
  /*
   Standard deviation of the point spread function, pixels.
   */
  double psf_sigma;
  /*
   Mean intensity of a target, counts.
   */
  double intensity_mean;
  /*
   Standard deviation of the intensities, counts.
   */
  double intensity_sigma;
  /*
   Format version.
   */
  uint32_t version;
  /*
   Channels of the network with the map, 0 without one: 16 for an edge stream, 32 for a paper
   stream.
   */
  uint32_t map_channels;
  /*
   Unfolded stages of the network with the map.
   */
  uint32_t map_stages;
  /*
   Channels of the offset head, 0 without one: up to 32 for edge and head streams, up to 64 for a
   paper stream.
   */
  uint32_t head_channels;
} DrefInfo;

/*
 One target, in the frame two before the last. x is the row axis, y the column axis; pixel centres
 are the integers.
 */
typedef struct {
  /*
   Row coordinate, pixels.
   */
  double x;
  /*
   Column coordinate, pixels.
   */
  double y;
  /*
   Counts that an unbounded sensor would collect from it.
   */
  double intensity;
  /*
   Standard deviation of x, pixels.
   */
  double sigma_x;
  /*
   Standard deviation of y, pixels.
   */
  double sigma_y;
  /*
   Correlation of the errors of x and y, -1 to 1.
   */
  double correlation;
  /*
   Standard deviation of the intensity, counts.
   */
  double sigma_intensity;
  /*
   How sure the target is, 0 to 1.
   */
  double score;
} DrefTarget;

/*
 What a stream says about the middle frame of its last five.
 */
typedef struct {
  /*
   Targets, in no particular order; all zeros behind the last one.
   */
  DrefTarget targets[DREF_MAX_TARGETS];
  /*
   Squared residuals of the fit over pixel variance and degrees of freedom, near 1 for a good
   one; NaN without a fit.
   */
  double reduced_chi2;
  /*
   Targets that there are.
   */
  uint32_t count;
  /*
   Values inside the network that left their range since the last answer: not 0 means that the
   scene lies beyond what the model was calibrated for.
   */
  uint32_t saturated;
  /*
   Model evaluations of the fit; 0 without one.
   */
  uint32_t evaluations;
  /*
   0 where the evaluations that the configuration allows were used up, so that starts or higher
   counts of targets may have been left out; 1 otherwise.
   */
  uint32_t complete;
} DrefAnswer;

/*
 Done.
 */
#define DREF_OK 0

/*
 The frame is taken; there is no answer before the fifth.
 */
#define DREF_PENDING 1

/*
 A pointer is null that must not be.
 */
#define DREF_ERROR_NULL -1

/*
 A pointer is not aligned as its type needs, or stream memory not to DREF_STREAM_ALIGNMENT.
 */
#define DREF_ERROR_ALIGNMENT -2

/*
 Stream memory is too short.
 */
#define DREF_ERROR_MEMORY -3

/*
 The pointer leads to no stream, or to one that was moved.
 */
#define DREF_ERROR_STREAM -4

/*
 A field of DrefConfig is outside its range.
 */
#define DREF_ERROR_CONFIG -5

/*
 There is no map: another readout, or no answer since the last reset.
 */
#define DREF_ERROR_NO_MAP -6

/*
 A frame or a place in it is refused.
 */
#define DREF_ERROR_FRAME -7

/*
 The model file does not begin as one does.
 */
#define DREF_ERROR_MAGIC -10

/*
 The model file has a format version that this code does not read.
 */
#define DREF_ERROR_VERSION -11

/*
 The model file is shorter or longer than it says.
 */
#define DREF_ERROR_LENGTH -12

/*
 The model file is damaged.
 */
#define DREF_ERROR_CHECKSUM -13

/*
 The header of the model file is none.
 */
#define DREF_ERROR_HEADER -14

/*
 A number in the header of the model file is outside its range.
 */
#define DREF_ERROR_FIELD -15

/*
 The body of the model file does not have the bytes that its header says.
 */
#define DREF_ERROR_BODY -16

/*
 Sums of a layer of the model could leave 32 bits.
 */
#define DREF_ERROR_RANGE -17

/*
 The model needs a stream of another kind.
 */
#define DREF_ERROR_SIZES -18

/*
 The model lacks the part that the readout needs.
 */
#define DREF_ERROR_MISSING -19

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/*
 Begins a stream for a model with a map of 16 channels, such as `edge`, in `memory`: `bytes` of it,
 at least DREF_EDGE_STREAM_BYTES, aligned to DREF_STREAM_ALIGNMENT. What it holds does not matter.

 `config` may be null for the fit with the model's beliefs. `out` receives the stream, which is not
 freed by anything: its memory may be used for something else when the stream is not.

 Returns DREF_OK or an error; there is no stream after an error.

 # Safety
 `file` must point to `length` bytes that stay there unchanged as long as the stream is used.
 `memory` must be that of no stream in use, must not move, and must be touched only through the
 stream. One stream may be used by one thread at a time.
 */
DrefStatus dref_edge_stream_init(void *memory,
                                 size_t bytes,
                                 const uint8_t *file,
                                 size_t length,
                                 const DrefConfig *config,
                                 DrefStream **out);

/*
 As dref_edge_stream_init, for a model with a map of 32 channels, such as `paper`, in
 DREF_PAPER_STREAM_BYTES.

 # Safety
 As for dref_edge_stream_init.
 */
DrefStatus dref_paper_stream_init(void *memory,
                                  size_t bytes,
                                  const uint8_t *file,
                                  size_t length,
                                  const DrefConfig *config,
                                  DrefStream **out);

/*
 As dref_edge_stream_init, for all readouts but the map, with an offset head of up to 32 channels or
 without one, in DREF_HEAD_STREAM_BYTES.

 # Safety
 As for dref_edge_stream_init.
 */
DrefStatus dref_head_stream_init(void *memory,
                                 size_t bytes,
                                 const uint8_t *file,
                                 size_t length,
                                 const DrefConfig *config,
                                 DrefStream **out);

/*
 Checks a model file of `length` bytes as a stream does when it begins; `info` receives what is in
 it and may be null.

 # Safety
 `length` bytes must be readable at `file`, and a DrefInfo writable at `info` unless it is null.
 */
DrefStatus dref_check(const uint8_t *file, size_t length, DrefInfo *info);

/*
 Takes the next frame, 11 rows of 11 `readings`; from the fifth on, `answer` receives the targets of
 the frame two before it. `dead` holds 121 flags, not 0 for pixels not to believe, or is null.

 Returns DREF_OK with an answer, DREF_PENDING before the fifth frame, or an error; the frame is not
 taken then.

 # Safety
 `stream` must come from a function that begins one. DREF_FRAME_READINGS numbers must be readable at
 `readings`, as many bytes at `dead` unless it is null, and a DrefAnswer writable at `answer`.
 */
DrefStatus dref_push(DrefStream *stream,
                     const uint16_t *readings,
                     const uint8_t *dead,
                     DrefAnswer *answer);

/*
 The answer for one window, five frames of 11 rows of 11 `readings` in time order, whatever came
 before; the stream has no frames afterwards. `dead` holds 605 flags or is null.

 # Safety
 As for dref_push, with DREF_WINDOW_READINGS numbers and flags.
 */
DrefStatus dref_window(DrefStream *stream,
                       const uint16_t *readings,
                       const uint8_t *dead,
                       DrefAnswer *answer);

/*
 Forgets all frames: after a gap, or where another scene begins.

 # Safety
 `stream` must come from a function that begins one.
 */
DrefStatus dref_reset(DrefStream *stream);

/*
 The map of the last answer of a stream with DREF_READOUT_GRID: 33 rows of 33 `cells`, counts.

 # Safety
 `stream` must come from a function that begins one; DREF_MAP_CELLS numbers must be writable at
 `cells`.
 */
DrefStatus dref_map(DrefStream *stream, float *cells);

/*
 Cuts the 11×11 slice around (`row`, `column`) out of a `frame` of `rows` rows of `columns`, at
 least 11 of each. Near an edge the slice moves inwards; `origin` receives row and column of its
 first pixel. Frames of one stream must be cut at one place.

 # Safety
 `rows * columns` numbers must be readable at `frame`, DREF_FRAME_READINGS numbers writable at
 `readings` and two at `origin`.
 */
DrefStatus dref_slice(const uint16_t *frame,
                      size_t rows,
                      size_t columns,
                      size_t row,
                      size_t column,
                      uint16_t *readings,
                      size_t *origin);

/*
 What a code means, in English; never null.
 */
const char *dref_error_text(DrefStatus code);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* DEREFNET_H */
