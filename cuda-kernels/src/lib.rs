//! CUDA kernels of the training engine.
//!
//! `kernels/` holds one file of CUDA C++ per operator, named as in `host-train/src/ops`; `ptx/`
//! what `nvcc` made of them (`cargo xtask cuda --write`), which a driver compiles for its device.
//! This crate embeds the PTX and says how each kernel is called. `README.md` has the reasoning and
//! the roofline estimates. No GPU has run any of it yet.

mod geometry;

pub use geometry::{
    AdamGeometry, AdamSlice, Blend, ConcatGeometry, ConvGeometry, DataStepGeometry,
    FUNCTION_RECIPROCAL, FUNCTION_SCALE, FUNCTION_SOFTPLUS, Geometry, GroupGeometry, LAYOUTS,
    Layout, MOST_TERMS, MaskGeometry, OVERLAP_SENSITIVE, OVERLAP_SOFT, OffsetGeometry, Pointer,
    PoolGeometry, RULE_HARD, RULE_SOFT, RULE_SUPPORT, Reader, ResizeGeometry, RowGeometry,
    SampleGeometry, ShuffleGeometry, SlabGeometry, StageGeometry, StrideGeometry, TAKE_MAX,
    TAKE_MEAN, Terms, TimeGeometry, table_bytes,
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

/// Channels that a block takes of sums over pixels.
pub const COLUMN_CHANNELS: usize = 32;

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
    deform_sample {
        SAMPLE deform_sample_forward [THREADS] (SampleGeometry, Pointer, Pointer, Pointer);
        SAMPLE_OFFSET_GRADIENT deform_sample_offset_gradient [THREADS]
            (SampleGeometry, Pointer, Pointer, Pointer, Pointer);
        SAMPLE_LISTS deform_sample_lists [LISTS] (SampleGeometry, Pointer, Pointer, Pointer);
        SAMPLE_INPUT_GRADIENT deform_sample_input_gradient [THREADS]
            (SampleGeometry, Pointer, Pointer, Pointer, Pointer, Pointer);
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
    mask_loss {
        MASK_LOSS_SUMS mask_loss_sums [THREADS] (MaskGeometry, Pointer, Pointer, Pointer);
        MASK_LOSS_FRAMES mask_loss_frames [THREADS] (MaskGeometry, Pointer, Pointer, Pointer);
        MASK_LOSS_GRADIENT mask_loss_gradient [THREADS]
            (MaskGeometry, Pointer, Pointer, Pointer, Pointer, Pointer);
    }
    normalise {
        MOMENT_PARTIALS normalise_moment_partials [THREADS]
            (GroupGeometry, SlabGeometry, Pointer, Pointer, Pointer);
        MOMENT normalise_moment [THREADS] (GroupGeometry, SlabGeometry, Pointer, Pointer, Pointer);
        MOMENT_GRADIENT normalise_moment_gradient [THREADS]
            (GroupGeometry, Pointer, Pointer, Pointer, Pointer);
        NORMALISE normalise_forward [THREADS]
            (GroupGeometry, f32, Pointer, Pointer, Pointer, Pointer, Pointer);
        NORMALISE_INPUT_GRADIENT normalise_input_gradient [THREADS]
            (GroupGeometry, f32, Pointer, Pointer, Pointer, Pointer);
        NORMALISE_PARTIALS normalise_partials [THREADS]
            (GroupGeometry, SlabGeometry, Pointer, Pointer, Pointer, Pointer);
        NORMALISE_GRADIENTS normalise_gradients [THREADS]
            (GroupGeometry, SlabGeometry, f32, Pointer, Pointer, Pointer, Pointer, Pointer, Pointer);
    }
    offset_likelihood {
        OFFSET_LIKELIHOOD offset_likelihood_forward [THREADS]
            (OffsetGeometry, Pointer, Pointer, Pointer, Pointer, Pointer);
    }
    pixel_shuffle {
        PIXEL_SHUFFLE pixel_shuffle_forward [THREADS] (ShuffleGeometry, Pointer, Pointer);
        PIXEL_SHUFFLE_GRADIENT pixel_shuffle_gradient [THREADS]
            (ShuffleGeometry, Pointer, Pointer);
    }
    pointwise {
        POINTWISE pointwise_forward [THREADS] (u32, u32, f32, Pointer, Pointer);
        POINTWISE_GRADIENT pointwise_gradient [THREADS] (u32, u32, f32, Pointer, Pointer, Pointer);
    }
    pool {
        POOL pool_forward [THREADS] (PoolGeometry, Pointer, Pointer);
        POOL_GRADIENT pool_gradient [THREADS] (PoolGeometry, Pointer, Pointer, Pointer, Pointer);
    }
    prelu {
        PRELU prelu_forward [THREADS] (u32, Pointer, Pointer, Pointer);
        PRELU_GRADIENT prelu_gradient [THREADS] (u32, Pointer, Pointer, Pointer, Pointer);
        PRELU_SLOPE_PARTIALS prelu_slope_partials [THREADS] (u32, Pointer, Pointer, Pointer);
    }
    reduce {
        REDUCE_FINISH reduce_finish [THREADS] (u32, f32, Pointer, Pointer);
        REDUCE_SCALE reduce_scale [THREADS] (u32, f32, Pointer, Pointer, Pointer);
    }
    resize {
        RESIZE resize_forward [THREADS] (ResizeGeometry, Pointer, Pointer, Pointer, Pointer);
        RESIZE_GRADIENT resize_gradient [THREADS]
            (ResizeGeometry, Pointer, Pointer, Pointer, Pointer, Pointer, Pointer);
    }
    row_stats {
        ROW_RMS row_stats_rms [THREADS] (u32, Pointer, Pointer);
        ROW_RMS_GRADIENT row_stats_rms_gradient [THREADS]
            (RowGeometry, Pointer, Pointer, Pointer, Pointer);
        ROW_COUNT row_stats_count [THREADS] (u32, f32, Pointer, Pointer);
    }
    shrink {
        SHRINK_QUANTILE shrink_quantile [THREADS] (u32, u32, u32, f32, Pointer, Pointer);
        SHRINK shrink_forward [THREADS] (RowGeometry, u32, Pointer, Pointer, Pointer, Pointer);
        SHRINK_GRADIENT shrink_gradient [THREADS]
            (RowGeometry, u32, Pointer, Pointer, Pointer, Pointer, Pointer);
        SHRINK_THRESHOLD_GRADIENT shrink_threshold_gradient [THREADS]
            (RowGeometry, u32, Pointer, Pointer, Pointer, Pointer, Pointer);
    }
    soft_threshold {
        SOFT_THRESHOLD soft_threshold_forward [THREADS] (u32, Pointer, Pointer, Pointer);
        SOFT_THRESHOLD_GRADIENT soft_threshold_gradient [THREADS]
            (u32, Pointer, Pointer, Pointer, Pointer);
        SOFT_THRESHOLD_PARTIALS soft_threshold_partials [THREADS]
            (u32, Pointer, Pointer, Pointer, Pointer);
    }
    spectral_norm {
        SPECTRAL_COLUMNS spectral_norm_columns [THREADS] (RowGeometry, Pointer, Pointer, Pointer);
        SPECTRAL_ROWS spectral_norm_rows [THREADS] (u32, Pointer, Pointer, Pointer);
        SPECTRAL_UNIT spectral_norm_unit [THREADS] (u32, Pointer, Pointer);
        SPECTRAL_SIGMA_PARTIALS spectral_norm_sigma_partials [THREADS]
            (RowGeometry, Pointer, Pointer, Pointer);
        SPECTRAL_PRODUCT_PARTIALS spectral_norm_product_partials [THREADS]
            (u32, Pointer, Pointer, Pointer);
        SPECTRAL_SUM spectral_norm_sum [THREADS] (u32, Pointer, Pointer);
        SPECTRAL_NORM spectral_norm_forward [THREADS] (u32, Pointer, Pointer, Pointer);
        SPECTRAL_NORM_GRADIENT spectral_norm_gradient [THREADS]
            (RowGeometry, Pointer, Pointer, Pointer, Pointer, Pointer);
    }
    stage {
        STAGE_16 stage_forward_16 [STAGE]
            (StageGeometry, Pointer, Pointer, Pointer, Pointer, Pointer, Pointer, Pointer, Pointer,
             Pointer, Pointer);
        STAGE_32 stage_forward_32 [STAGE]
            (StageGeometry, Pointer, Pointer, Pointer, Pointer, Pointer, Pointer, Pointer, Pointer,
             Pointer, Pointer);
    }
    strided_conv2d {
        STRIDED_DOWN strided_conv2d_down [PRODUCT]
            (StrideGeometry, Pointer, Pointer, Pointer, Pointer);
        STRIDED_UP strided_conv2d_up [PRODUCT] (StrideGeometry, Pointer, Pointer, Pointer, Pointer);
        STRIDED_KERNEL_GRADIENT strided_conv2d_kernel_gradient [GRADIENT]
            (StrideGeometry, SlabGeometry, Pointer, Pointer, Pointer);
        STRIDED_BIAS_PARTIALS strided_conv2d_bias_partials [THREADS]
            (GroupGeometry, SlabGeometry, Pointer, Pointer);
        STRIDED_BIAS_SUM strided_conv2d_bias_sum [THREADS] (u32, SlabGeometry, Pointer, Pointer);
    }
    time_code {
        TIME_CODE_ROW_SUMS time_code_row_sums [THREADS] (u32, Pointer, Pointer);
        TIME_CODE_GATES time_code_gates [THREADS]
            (TimeGeometry, Pointer, Pointer, Pointer, Pointer);
        TIME_CODE_GRADIENT time_code_gradient [THREADS]
            (TimeGeometry, Pointer, Pointer, Pointer, Pointer, Pointer);
        TIME_CODE_WEIGHT_GRADIENT time_code_weight_gradient [THREADS] (u32, Pointer, Pointer);
    }
    total {
        TOTAL_PARTIALS total_partials [THREADS] (u32, Pointer, Pointer);
        TOTAL_GRADIENT total_gradient [THREADS] (u32, f32, Pointer, Pointer);
    }
}
