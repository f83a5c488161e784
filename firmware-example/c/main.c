/* Targets in recorded frames by the C interface, on a Cortex-M7.
 *
 * For every frame with an answer it prints the targets as text, and a line `window BITS...` with the
 * eight numbers of each target as the program `edge` prints them. */
#include <derefnet.h>

#include "board.h"

/* src/recording.rs */
enum { SCENES = 2, SCENE_FRAMES = 20, FRAME_WORDS = 129, PEDESTAL = 100 };

/* src/network.rs: what the fit may cost in a frame */
enum { EVALUATIONS = 64 };

extern const uint8_t model[], model_end[];
extern const uint16_t frames[SCENES][SCENE_FRAMES][FRAME_WORDS];

static _Alignas(DREF_STREAM_ALIGNMENT) unsigned char memory[DREF_HEAD_STREAM_BYTES];

static void put_field(double value) {
  union {
    double value;
    uint64_t bits;
  } field = {.value = value};
  put_bits(field.bits);
}

static void show(const DrefAnswer *answer) {
  for (uint32_t i = 0; i < answer->count; i++) {
    const DrefTarget *target = &answer->targets[i];
    put("  row");
    put_number(target->x);
    put(" +-");
    put_number(target->sigma_x);
    put(" px, column");
    put_number(target->y);
    put(" +-");
    put_number(target->sigma_y);
    put(" px, counts");
    put_number(target->intensity);
    put("\n");
  }
  put("window");
  for (uint32_t i = 0; i < answer->count; i++) {
    const DrefTarget *target = &answer->targets[i];
    put_field(target->x);
    put_field(target->y);
    put_field(target->score);
    put_field(target->intensity);
    put_field(target->sigma_x);
    put_field(target->sigma_y);
    put_field(target->correlation);
    put_field(target->sigma_intensity);
  }
  put("\n");
}

static int failed(DrefStatus status) {
  put(dref_error_text(status));
  put("\n");
  return 1;
}

int main(void) {
  const DrefConfig config = {
      .readout = DREF_READOUT_FIT, .window_evaluations = EVALUATIONS, .pedestal = PEDESTAL};
  DrefStream *stream;
  DrefStatus status = dref_head_stream_init(memory, sizeof memory, model,
                                            (size_t)(model_end - model), &config, &stream);
  if (status < 0) {
    return failed(status);
  }
  for (int scene = 0; scene < SCENES; scene++) {
    status = dref_reset(stream);
    for (int frame = 0; status >= 0 && frame < SCENE_FRAMES; frame++) {
      DrefAnswer answer;
      status = dref_push(stream, frames[scene][frame], NULL, &answer);
      if (status == DREF_OK) {
        show(&answer);
      }
    }
    if (status < 0) {
      return failed(status);
    }
  }
  put_stack();
  return 0;
}
