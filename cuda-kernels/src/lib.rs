//! CUDA kernels of the training engine.
//!
//! `kernels/` holds one file of CUDA C++ per operator, named as in `host-train/src/ops`; `ptx/`
//! what `nvcc` made of them (`cargo xtask cuda --write`), which a driver compiles for its device.
//! This crate embeds the PTX and says how each kernel is called. `README.md` has the reasoning and
//! the roofline estimates. No GPU has run any of it yet.

mod geometry;

pub use geometry::{
    AdamGeometry, AdamSlice, ConcatGeometry, ConvGeometry, DataStepGeometry, Geometry,
    GroupGeometry, LAYOUTS, Layout, MOST_TERMS, OffsetGeometry, Pointer, SlabGeometry,
    StageGeometry, Terms, TimeGeometry, table_bytes,
};

/// How a kernel is called.
#[derive(Clone, Copy, Debug)]
pub struct Kernel {
    /// Module that holds it: the stem of its file.
    pub module: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Threads of a block.
    pub block: u32,
    /// Bytes of each parameter.
    pub parameters: &'static [usize],
}

/// Declares kernels by file, with the threads of a block and the types of their parameters.
macro_rules! kernels {
    ($($module:ident { $($constant:ident $name:ident [$block:expr] ($($parameter:ty),*);)* })*) => {
        $($(
            #[doc = concat!("`", stringify!($name), "` of `kernels/", stringify!($module), ".cu`.")]
            pub const $constant: Kernel = Kernel {
                module: stringify!($module),
                name: stringify!($name),
                block: $block,
                parameters: &[$(size_of::<$parameter>()),*],
            };
        )*)*

        /// Every kernel.
        pub const KERNELS: &[Kernel] = &[$($($constant),*),*];

        /// Every module with its PTX.
        pub const MODULES: &[(&str, &str)] = &[$((
            stringify!($module),
            include_str!(concat!("../ptx/", stringify!($module), ".ptx")),
        )),*];
    };
}

/// Threads of a block of elementwise kernels and reductions.
pub const THREADS: u32 = 256;
/// Rows of a matrix product that a block computes.
pub const PRODUCT_ROWS: usize = 128;
/// Outputs of a matrix product that a block computes.
pub const PRODUCT_OUTS: usize = 32;
/// Outputs of a kernel's gradient that a block computes.
pub const GRADIENT_OUTS: usize = 32;
/// Columns of a kernel's gradient that a block computes.
pub const GRADIENT_COLUMNS: usize = 48;
/// Pixels of a kernel's gradient that a block takes at a time.
pub const GRADIENT_ROWS: usize = 32;

/// Most pixels of a map that the fused stage takes.
pub const STAGE_PIXELS: usize = 1152;
/// Values by which its channels are padded in shared memory.
pub const STAGE_PADDING: usize = 4;

const STAGE: u32 = 512;
const PRODUCT: u32 = 256;
const GRADIENT: u32 = 128;
const LISTS: u32 = 32;
const ONE_WARP: u32 = 32;

kernels! {
    adam {
        ADAM_STEP adam_step [THREADS] (AdamGeometry, Pointer);
        ADAM_NORM_PARTIALS adam_norm_partials [THREADS] (Pointer, Pointer);
        ADAM_CLIP_FACTOR adam_clip_factor [THREADS] (u32, f32, Pointer, Pointer);
        ADAM_SCALE adam_scale [THREADS] (Pointer, Pointer);
        ADAM_FOLLOW adam_follow [THREADS] (f32, f32, Pointer);
    }
    arithmetic {
        ADD arithmetic_add [THREADS] (u32, Pointer, Pointer, Pointer);
        SUB arithmetic_sub [THREADS] (u32, Pointer, Pointer, Pointer);
        MUL arithmetic_mul [THREADS] (u32, Pointer, Pointer, Pointer);
        NEGATE arithmetic_negate [THREADS] (u32, Pointer, Pointer);
        ACCUMULATE arithmetic_accumulate [THREADS] (u32, Pointer, Pointer);
    }
    channel_stats {
        CHANNEL_STATS channel_stats_forward [THREADS] (GroupGeometry, Pointer, Pointer);
        CHANNEL_STATS_GRADIENT channel_stats_gradient [THREADS]
            (GroupGeometry, Pointer, Pointer, Pointer, Pointer);
    }
    concat {
        CONCAT_COPY concat_copy [THREADS] (ConcatGeometry, Pointer, Pointer);
    }
    conv2d {
        CONV2D conv2d_forward [PRODUCT] (ConvGeometry, Pointer, Pointer, Pointer, Pointer);
        CONV2D_DATA_GRADIENT conv2d_data_gradient [PRODUCT]
            (ConvGeometry, Pointer, Pointer, Pointer);
        CONV2D_DIRECT conv2d_direct_forward [THREADS]
            (ConvGeometry, Pointer, Pointer, Pointer, Pointer);
        CONV2D_DIRECT_DATA_GRADIENT conv2d_direct_data_gradient [THREADS]
            (ConvGeometry, Pointer, Pointer, Pointer);
        CONV2D_ACTIVATION_GRADIENT conv2d_activation_gradient [THREADS]
            (u32, u32, Pointer, Pointer, Pointer);
        CONV2D_KERNEL_GRADIENT conv2d_kernel_gradient [GRADIENT]
            (ConvGeometry, SlabGeometry, Pointer, Pointer, Pointer, Pointer);
        CONV2D_KERNEL_SUM conv2d_kernel_sum [THREADS] (ConvGeometry, SlabGeometry, Pointer, Pointer);
        CONV2D_BIAS_SUM conv2d_bias_sum [THREADS] (u32, SlabGeometry, Pointer, Pointer);
    }
    data_step {
        DATA_STEP data_step_forward [THREADS]
            (DataStepGeometry, Pointer, Pointer, Pointer, Pointer, Pointer);
        DATA_STEP_PARTIALS data_step_partials [THREADS]
            (DataStepGeometry, Pointer, Pointer, Pointer, Pointer, Pointer);
    }
    deform_conv2d {
        DEFORM deform_conv2d_forward [PRODUCT] (ConvGeometry, Pointer, Pointer, Pointer, Pointer);
        DEFORM_SAMPLE_GRADIENT deform_conv2d_sample_gradient [PRODUCT]
            (ConvGeometry, Pointer, Pointer, Pointer);
        DEFORM_OFFSET_GRADIENT deform_conv2d_offset_gradient [THREADS]
            (ConvGeometry, Pointer, Pointer, Pointer, Pointer);
        DEFORM_LISTS deform_conv2d_lists [LISTS] (ConvGeometry, Pointer, Pointer, Pointer);
        DEFORM_INPUT_GRADIENT deform_conv2d_input_gradient [THREADS]
            (ConvGeometry, Pointer, Pointer, Pointer, Pointer, Pointer);
        DEFORM_KERNEL_GRADIENT deform_conv2d_kernel_gradient [GRADIENT]
            (ConvGeometry, SlabGeometry, Pointer, Pointer, Pointer, Pointer);
    }
    gather {
        GATHER gather_forward [THREADS] (u32, u32, Pointer, Pointer, Pointer);
        GATHER_GRADIENT gather_gradient [THREADS]
            (u32, u32, Pointer, Pointer, Pointer, Pointer);
    }
    group_scale {
        GROUP_SCALE group_scale_forward [THREADS] (GroupGeometry, Pointer, Pointer, Pointer);
        GROUP_SCALE_GRADIENT group_scale_gradient [THREADS]
            (GroupGeometry, Pointer, Pointer, Pointer);
    }
    loss {
        SQUARED_PARTIALS loss_squared_partials [THREADS] (u32, Pointer, Pointer, Pointer);
        ABSOLUTE_PARTIALS loss_absolute_partials [THREADS] (u32, Pointer, Pointer, Pointer);
        SQUARED_GRADIENT loss_squared_gradient [THREADS]
            (u32, f32, Pointer, Pointer, Pointer, Pointer);
        ABSOLUTE_GRADIENT loss_absolute_gradient [THREADS]
            (u32, f32, Pointer, Pointer, Pointer, Pointer);
        WEIGHTED_SUM loss_weighted_sum [ONE_WARP] (Terms, Pointer);
        WEIGHTED_GRADIENT loss_weighted_gradient [ONE_WARP] (Terms, Pointer);
    }
    offset_likelihood {
        OFFSET_LIKELIHOOD offset_likelihood_forward [THREADS]
            (OffsetGeometry, Pointer, Pointer, Pointer, Pointer, Pointer);
    }
    reduce {
        REDUCE_FINISH reduce_finish [THREADS] (u32, f32, Pointer, Pointer);
        REDUCE_SCALE reduce_scale [THREADS] (u32, f32, Pointer, Pointer, Pointer);
    }
    soft_threshold {
        SOFT_THRESHOLD soft_threshold_forward [THREADS] (u32, Pointer, Pointer, Pointer);
        SOFT_THRESHOLD_GRADIENT soft_threshold_gradient [THREADS]
            (u32, Pointer, Pointer, Pointer, Pointer);
        SOFT_THRESHOLD_PARTIALS soft_threshold_partials [THREADS]
            (u32, Pointer, Pointer, Pointer, Pointer);
    }
    stage {
        STAGE_16 stage_forward_16 [STAGE]
            (StageGeometry, Pointer, Pointer, Pointer, Pointer, Pointer, Pointer, Pointer, Pointer,
             Pointer, Pointer);
        STAGE_32 stage_forward_32 [STAGE]
            (StageGeometry, Pointer, Pointer, Pointer, Pointer, Pointer, Pointer, Pointer, Pointer,
             Pointer, Pointer);
    }
    time_code {
        TIME_CODE_ROW_SUMS time_code_row_sums [THREADS] (u32, Pointer, Pointer);
        TIME_CODE_GATES time_code_gates [THREADS]
            (TimeGeometry, Pointer, Pointer, Pointer, Pointer);
        TIME_CODE_GRADIENT time_code_gradient [THREADS]
            (TimeGeometry, Pointer, Pointer, Pointer, Pointer, Pointer);
        TIME_CODE_WEIGHT_GRADIENT time_code_weight_gradient [THREADS] (u32, Pointer, Pointer);
    }
}
