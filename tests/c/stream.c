/* Streams through the C interface, against numbers that the Rust interface gave (expected.h, which
 * tests/runners/capi.rs writes). Usage: stream MODEL. */
#include <derefnet.h>

#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expected.h"

_Static_assert(sizeof(DrefConfig) == DREF_TEST_CONFIG_BYTES, "layout of DrefConfig");
_Static_assert(sizeof(DrefTarget) == DREF_TEST_TARGET_BYTES, "layout of DrefTarget");
_Static_assert(sizeof(DrefAnswer) == DREF_TEST_ANSWER_BYTES, "layout of DrefAnswer");
_Static_assert(sizeof(DrefInfo) == DREF_TEST_INFO_BYTES, "layout of DrefInfo");
_Static_assert(offsetof(DrefConfig, saturation) == DREF_TEST_SATURATION_AT, "DrefConfig.saturation");
_Static_assert(offsetof(DrefAnswer, saturated) == DREF_TEST_SATURATED_AT, "DrefAnswer.saturated");
_Static_assert(offsetof(DrefTarget, score) == DREF_TEST_SCORE_AT, "DrefTarget.score");
_Static_assert(offsetof(DrefInfo, head_channels) == DREF_TEST_HEAD_CHANNELS_AT,
               "DrefInfo.head_channels");

static int failures;

static void expect(DrefStatus wanted, DrefStatus got, int line) {
  if (wanted != got) {
    printf("stream.c:%d: expected %d (%s), got %d (%s)\n", line, (int)wanted,
           dref_error_text(wanted), (int)got, dref_error_text(got));
    failures++;
  }
}

static void check(int holds, const char *what, int line) {
  if (!holds) {
    printf("stream.c:%d: %s\n", line, what);
    failures++;
  }
}

#define EXPECT(wanted, got) expect((wanted), (got), __LINE__)
#define CHECK(holds) check((holds), #holds, __LINE__)

static alignas(DREF_STREAM_ALIGNMENT) unsigned char memory[DREF_PAPER_STREAM_BYTES];
static alignas(DREF_STREAM_ALIGNMENT) unsigned char moved[DREF_EDGE_STREAM_BYTES];

static uint64_t bits(double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

static void compare(const DrefAnswer *answer, const ExpectedAnswer *expected) {
  CHECK(answer->count == expected->count);
  CHECK(answer->saturated == expected->saturated);
  CHECK(bits(answer->reduced_chi2) == expected->reduced_chi2);
  for (size_t i = 0; i < DREF_MAX_TARGETS; i++) {
    const DrefTarget *target = &answer->targets[i];
    const double fields[8] = {target->x,           target->y,
                              target->intensity,   target->sigma_x,
                              target->sigma_y,     target->correlation,
                              target->sigma_intensity, target->score};
    for (size_t k = 0; k < 8; k++) {
      CHECK(bits(fields[k]) == expected->targets[i][k]);
    }
  }
}

static DrefStream *begin(const uint8_t *file, size_t length, uint32_t readout) {
  const DrefConfig config = {.readout = readout, .pedestal = EXPECTED_PEDESTAL};
  DrefStream *stream = NULL;
  EXPECT(DREF_OK,
         dref_edge_stream_init(memory, sizeof memory, file, length, &config, &stream));
  CHECK(stream != NULL);
  return stream;
}

static void agrees(const uint8_t *file, size_t length) {
  for (size_t run = 0; run < EXPECTED_RUNS; run++) {
    memset(memory, 0xa5, sizeof memory);
    DrefStream *stream = begin(file, length, EXPECTED_READOUTS[run]);
    DrefAnswer answer;
    for (size_t frame = 0; frame < EXPECTED_FRAMES; frame++) {
      const DrefStatus wanted = frame < 4 ? DREF_PENDING : DREF_OK;
      EXPECT(wanted, dref_push(stream, READINGS[frame], DEAD[frame], &answer));
      if (wanted == DREF_OK) {
        compare(&answer, &ANSWERS[run][frame - 4]);
      }
    }
    if (EXPECTED_READOUTS[run] == DREF_READOUT_GRID) {
      static float map[DREF_MAP_CELLS];
      EXPECT(DREF_OK, dref_map(stream, map));
      CHECK(memcmp(map, MAP, sizeof map) == 0);
    }
    /* The last five frames as a window, then nothing is left of them. */
    EXPECT(DREF_OK, dref_window(stream, READINGS[EXPECTED_FRAMES - 5],
                                DEAD_FLAGS + (EXPECTED_FRAMES - 5) * DREF_FRAME_READINGS,
                                &answer));
    compare(&answer, &WINDOWS[run]);
    EXPECT(DREF_PENDING, dref_push(stream, READINGS[0], NULL, &answer));
    EXPECT(DREF_OK, dref_reset(stream));
  }
}

static void refuses_memory(const uint8_t *file, size_t length) {
  DrefStream *stream = NULL;
  const size_t edge = DREF_EDGE_STREAM_BYTES;
  EXPECT(DREF_ERROR_NULL, dref_edge_stream_init(NULL, edge, file, length, NULL, &stream));
  EXPECT(DREF_ERROR_NULL, dref_edge_stream_init(memory, edge, NULL, length, NULL, &stream));
  EXPECT(DREF_ERROR_NULL, dref_edge_stream_init(memory, edge, file, length, NULL, NULL));
  EXPECT(DREF_ERROR_ALIGNMENT,
         dref_edge_stream_init(memory + 8, edge, file, length, NULL, &stream));
  EXPECT(DREF_ERROR_MEMORY,
         dref_edge_stream_init(memory, edge - 4096, file, length, NULL, &stream));
  EXPECT(DREF_ERROR_MEMORY, dref_paper_stream_init(memory, edge, file, length, NULL, &stream));
  EXPECT(DREF_ERROR_MEMORY,
         dref_head_stream_init(memory, DREF_HEAD_STREAM_BYTES / 2, file, length, NULL, &stream));
  CHECK(stream == NULL);
  memset(memory, 0x5a, sizeof memory);
  EXPECT(DREF_ERROR_STREAM, dref_reset((DrefStream *)(void *)memory));
  EXPECT(DREF_ERROR_NULL, dref_reset(NULL));
  EXPECT(DREF_ERROR_ALIGNMENT, dref_reset((DrefStream *)(void *)(memory + 1)));
  begin(file, length, DREF_READOUT_FIT);
  memcpy(moved, memory, sizeof moved);
  EXPECT(DREF_ERROR_STREAM, dref_reset((DrefStream *)(void *)moved));
  EXPECT(DREF_ERROR_MAGIC,
         dref_edge_stream_init(memory, edge, memory, length % 4096, NULL, &stream));
  /* The stream that was there has ended. */
  EXPECT(DREF_ERROR_STREAM, dref_reset((DrefStream *)(void *)memory));
}

static void refuses_models(uint8_t *file, size_t length) {
  DrefInfo info = {0};
  EXPECT(DREF_OK, dref_check(file, length, NULL));
  EXPECT(DREF_OK, dref_check(file, length, &info));
  CHECK(info.version == 1 && info.map_channels == 16);
  CHECK(info.intensity_sigma > 0.0 && info.psf_sigma > 0.0);
  EXPECT(DREF_ERROR_NULL, dref_check(NULL, length, &info));
  EXPECT(DREF_ERROR_ALIGNMENT, dref_check(file, length, (DrefInfo *)(void *)(memory + 1)));
  EXPECT(DREF_ERROR_LENGTH, dref_check(file, length - 1, &info));
  EXPECT(DREF_ERROR_LENGTH, dref_check(file, SIZE_MAX, &info));
  EXPECT(DREF_ERROR_LENGTH, dref_check(file, 3, &info));
  file[length / 2] ^= 1;
  EXPECT(DREF_ERROR_CHECKSUM, dref_check(file, length, &info));
  file[length / 2] ^= 1;
  file[4] ^= 8;
  EXPECT(DREF_ERROR_VERSION, dref_check(file, length, &info));
  file[4] ^= 8;
  DrefStream *stream = NULL;
  const DrefConfig grid = {.readout = DREF_READOUT_GRID};
  EXPECT(DREF_ERROR_SIZES,
         dref_paper_stream_init(memory, sizeof memory, file, length, &grid, &stream));
  EXPECT(DREF_ERROR_SIZES,
         dref_head_stream_init(memory, sizeof memory, file, length, &grid, &stream));
  const DrefConfig bad[] = {
      {.readout = 5},
      {.readout = 1, .most_targets = 9},
      {.readout = 1, .fewest_targets = 5},
      {.readout = 1, .noise = -1.0F},
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    EXPECT(DREF_ERROR_CONFIG,
           dref_edge_stream_init(memory, sizeof memory, file, length, &bad[i], &stream));
  }
}

static void refuses_frames(const uint8_t *file, size_t length) {
  DrefStream *stream = begin(file, length, DREF_READOUT_GRID);
  static float map[DREF_MAP_CELLS];
  DrefAnswer answer;
  EXPECT(DREF_ERROR_NO_MAP, dref_map(stream, map));
  EXPECT(DREF_ERROR_NULL, dref_map(stream, NULL));
  EXPECT(DREF_ERROR_NULL, dref_push(NULL, READINGS[0], NULL, &answer));
  EXPECT(DREF_ERROR_NULL, dref_push(stream, NULL, NULL, &answer));
  EXPECT(DREF_ERROR_NULL, dref_push(stream, READINGS[0], NULL, NULL));
  EXPECT(DREF_ERROR_ALIGNMENT,
         dref_push(stream, (const uint16_t *)(const void *)(memory + 1), NULL, &answer));
  EXPECT(DREF_ERROR_NULL, dref_window(stream, NULL, NULL, &answer));
  EXPECT(DREF_OK, dref_window(stream, READINGS[0], NULL, &answer));
  EXPECT(DREF_OK, dref_map(stream, map));
  EXPECT(DREF_OK, dref_reset(stream));
  EXPECT(DREF_ERROR_NO_MAP, dref_map(stream, map));
  stream = begin(file, length, DREF_READOUT_FIT);
  EXPECT(DREF_OK, dref_window(stream, READINGS[0], NULL, &answer));
  EXPECT(DREF_ERROR_NO_MAP, dref_map(stream, map));
}

static void cuts(void) {
  static uint16_t frame[20 * 30];
  for (size_t i = 0; i < 20 * 30; i++) {
    frame[i] = (uint16_t)i;
  }
  uint16_t readings[DREF_FRAME_READINGS];
  size_t origin[2];
  EXPECT(DREF_OK, dref_slice(frame, 20, 30, 19, 2, readings, origin));
  CHECK(origin[0] == 9 && origin[1] == 0);
  CHECK(readings[0] == 9 * 30 && readings[120] == 19 * 30 + 10);
  EXPECT(DREF_ERROR_FRAME, dref_slice(frame, 10, 30, 5, 5, readings, origin));
  EXPECT(DREF_ERROR_FRAME, dref_slice(frame, 20, 30, 20, 5, readings, origin));
  EXPECT(DREF_ERROR_FRAME, dref_slice(frame, SIZE_MAX, 2, 5, 5, readings, origin));
  EXPECT(DREF_ERROR_FRAME, dref_slice(frame, SIZE_MAX / 4, 2, 5, 5, readings, origin));
  EXPECT(DREF_ERROR_NULL, dref_slice(NULL, 20, 30, 5, 5, readings, origin));
  EXPECT(DREF_ERROR_NULL, dref_slice(frame, 20, 30, 5, 5, NULL, origin));
  EXPECT(DREF_ERROR_NULL, dref_slice(frame, 20, 30, 5, 5, readings, NULL));
}

static void texts(void) {
  const char *unknown = dref_error_text(-1000);
  CHECK(strcmp(unknown, "unknown code") == 0);
  for (DrefStatus code = -19; code <= 1; code++) {
    const int is_known = code >= -7 || code <= -10;
    CHECK((strcmp(dref_error_text(code), unknown) != 0) == is_known);
  }
}

int main(int argc, char **argv) {
  FILE *input = argc == 2 ? fopen(argv[1], "rb") : NULL;
  if (input == NULL) {
    fprintf(stderr, "usage: stream MODEL\n");
    return 2;
  }
  /* An exact buffer, so that a read behind the file is seen. */
  fseek(input, 0, SEEK_END);
  const size_t length = (size_t)ftell(input);
  rewind(input);
  uint8_t *file = malloc(length);
  if (file == NULL || fread(file, 1, length, input) != length) {
    fprintf(stderr, "cannot read %s\n", argv[1]);
    return 2;
  }
  fclose(input);
  agrees(file, length);
  refuses_memory(file, length);
  refuses_models(file, length);
  refuses_frames(file, length);
  cuts();
  texts();
  free(file);
  printf("%d failures\n", failures);
  return failures != 0;
}
