/* What lies in flash: the model, and two scenes of 20 frames of the golden recording, 258 bytes a
 * frame (src/recording.rs says how they look). */
  .section .rodata.model, "a"
  .balign 16
  .global model
model:
  .incbin "core/models/head.dref"
  .global model_end
model_end:

  .section .rodata.frames, "a"
  .balign 4
  .global frames
frames:
  .incbin "firmware-example/assets/golden.frames", 0, 2 * 20 * 258
