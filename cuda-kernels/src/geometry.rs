//! Geometry of the operators as the kernels read it: the structs of `kernels/geometry.cuh`.
#![allow(unsafe_code)]

/// A struct that kernels read: C layout, plain values, no padding.
///
/// # Safety
/// Every byte of the type belongs to a field of plain values; `tests` compares sizes and offsets
/// with the C side.
pub unsafe trait Geometry: Copy {
    /// The bytes that a kernel reads.
    fn bytes(&self) -> &[u8] {
        // SAFETY: the implementor has no padding, so all bytes are initialised.
        unsafe { std::slice::from_raw_parts(std::ptr::from_ref(self).cast(), size_of::<Self>()) }
    }
}

/// The bytes of a table that kernels read.
pub fn table_bytes<T: Geometry>(table: &[T]) -> &[u8] {
    // SAFETY: as for one element.
    unsafe { std::slice::from_raw_parts(table.as_ptr().cast(), size_of_val(table)) }
}

/// Functions of a value alone, as kernels number them: a multiple.
pub const FUNCTION_SCALE: u32 = 0;
/// `ln(1 + exp(x))`.
pub const FUNCTION_SOFTPLUS: u32 = 1;
/// `1 / (x + offset)`.
pub const FUNCTION_RECIPROCAL: u32 = 2;

/// What stands for a window, as kernels number it: its mean.
pub const TAKE_MEAN: u32 = 0;
/// Its maximum.
pub const TAKE_MAX: u32 = 1;

/// Losses of masks, as kernels number them: of all frames as one.
pub const OVERLAP_SOFT: u32 = 0;
/// Of each frame, its size and its centre.
pub const OVERLAP_SENSITIVE: u32 = 1;

/// Thresholds, as kernels number them: soft.
pub const RULE_SOFT: u32 = 0;
/// Hard.
pub const RULE_HARD: u32 = 1;
/// Soft but for the largest entries of a row.
pub const RULE_SUPPORT: u32 = 2;

/// Declares structs of C layout without padding, and their fields for the test of their layout.
macro_rules! geometries {
    ($($(#[$doc:meta])* struct $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[repr(C)]
            #[derive(Clone, Copy, Debug, PartialEq)]
            pub struct $name {
                $($(#[$field_doc])* pub $field: $type,)*
            }

            // SAFETY: fields of plain values only; the constant below fails where there is padding.
            unsafe impl Geometry for $name {}
            const _: () = assert!(size_of::<$name>() == 0 $(+ size_of::<$type>())*);
        )*

        /// Name, size and fields with their offsets of every struct.
        pub const LAYOUTS: &[Layout] = &[$(Layout {
            name: stringify!($name),
            size: size_of::<$name>(),
            fields: &[$((stringify!($field), std::mem::offset_of!($name, $field))),*],
        }),*];
    };
}

/// Where the fields of a struct lie.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Name of the struct on either side.
    pub name: &'static str,
    /// Bytes of it.
    pub size: usize,
    /// Names and offsets.
    pub fields: &'static [(&'static str, usize)],
}

/// Address on the device, or 0 for none.
pub type Pointer = u64;

/// Most scalars of one [`Terms`].
pub const MOST_TERMS: usize = 24;

geometries! {
    /// `x (n, h, w, c)`, kernel `(out, c, k, k)`, `y (n, h, w, out)`.
    struct ConvGeometry {
        /// Maps.
        n: u32,
        /// Rows.
        h: u32,
        /// Columns.
        w: u32,
        /// Channels of `x`.
        c: u32,
        /// Channels of `y`.
        out: u32,
        /// Side of the kernel, odd.
        k: u32,
        /// 0 none, 1 ReLU, 2 sigmoid.
        activation: u32,
        /// Whether pixels of `x` may be read four channels at a time.
        vector: u32,
        /// The same of maps of `out` channels.
        out_vector: u32,
    }

    /// Rows of a long sum that one block takes, and how many blocks there are.
    struct SlabGeometry {
        /// Rows of a slab.
        rows: u32,
        /// Slabs.
        count: u32,
    }

    /// Square maps.
    struct DataStepGeometry {
        /// Maps.
        n: u32,
        /// Side of a map.
        side: u32,
    }

    /// Maps through an unfolding stage.
    struct StageGeometry {
        /// Maps.
        n: u32,
        /// Side of a map.
        side: u32,
    }

    /// `x (pixels, channels)` and `(pixels, groups)`.
    struct GroupGeometry {
        /// Pixels over the whole batch.
        pixels: u32,
        /// Channels.
        channels: u32,
        /// Groups of them.
        groups: u32,
    }

    /// Channels `from ..` of `from_total` to channels `to ..` of `to_total`.
    struct ConcatGeometry {
        /// Pixels over the whole batch.
        pixels: u32,
        /// Channels to copy.
        channels: u32,
        /// First channel read.
        from: u32,
        /// Channels of the source.
        from_total: u32,
        /// First channel written.
        to: u32,
        /// Channels of the target.
        to_total: u32,
    }

    /// Rows of entries.
    struct RowGeometry {
        /// Rows.
        rows: u32,
        /// Entries of a row.
        len: u32,
    }

    /// `x (n, h, w, c·factor²)`, `y (n, factor·h, factor·w, c)`.
    struct ShuffleGeometry {
        /// Maps.
        n: u32,
        /// Rows of `x`.
        h: u32,
        /// Columns of `x`.
        w: u32,
        /// Channels of `y`.
        c: u32,
        /// Sub-pixels per pixel and axis.
        factor: u32,
    }

    /// `x (n, h, w, c)`, `y (n, to_h, to_w, c)`.
    struct ResizeGeometry {
        /// Maps.
        n: u32,
        /// Rows of `x`.
        h: u32,
        /// Columns of `x`.
        w: u32,
        /// Channels.
        c: u32,
        /// Rows of `y`.
        to_h: u32,
        /// Columns of `y`.
        to_w: u32,
    }

    /// `x (n, h, w, c)` in windows of `rows · columns` pixels.
    struct PoolGeometry {
        /// Maps.
        n: u32,
        /// Rows of `x`.
        h: u32,
        /// Columns of `x`.
        w: u32,
        /// Channels.
        c: u32,
        /// Rows of a window.
        rows: u32,
        /// Columns of it.
        columns: u32,
        /// What stands for it.
        take: u32,
    }

    /// Logits and masks `(n, h, w)`.
    struct MaskGeometry {
        /// Frames.
        n: u32,
        /// Rows.
        h: u32,
        /// Columns.
        w: u32,
        /// Which loss.
        overlap: u32,
    }

    /// `share[0] · x[first] + share[1] · x[second]`.
    struct Blend {
        /// The one input.
        first: u32,
        /// The other.
        second: u32,
        /// Their shares.
        share: [f32; 2],
    }

    /// One of the outputs that read an input.
    struct Reader {
        /// Which one.
        index: u32,
        /// The input's share in it.
        share: f32,
    }

    /// `x (n, h, w, c)`, offsets `(n, h, w, groups, 9, 2)`, samples `(n, h, w, 9, c)`.
    struct SampleGeometry {
        /// Maps.
        n: u32,
        /// Rows.
        h: u32,
        /// Columns.
        w: u32,
        /// Channels of `x`.
        c: u32,
        /// Sets of offsets, each for as many channels.
        groups: u32,
    }

    /// Large map `(n, h, w, c)`, small map `(n, small_h, small_w, small_c)`, kernel
    /// `(small_c, c, k, k)`.
    struct StrideGeometry {
        /// Maps.
        n: u32,
        /// Rows of the large map.
        h: u32,
        /// Columns of it.
        w: u32,
        /// Channels of it.
        c: u32,
        /// Rows of the small map.
        small_h: u32,
        /// Columns of it.
        small_w: u32,
        /// Channels of it.
        small_c: u32,
        /// Side of the kernel.
        k: u32,
        /// Pixels of the large map per pixel of the small one.
        stride: u32,
        /// Zeros around the large map.
        padding: u32,
        /// Whether pixels of the large map may be read four channels at a time.
        vector: u32,
        /// The same of the small map.
        small_vector: u32,
    }

    /// Gates of a position code.
    struct TimeGeometry {
        /// Times.
        times: u32,
        /// Cells of a map.
        len: u32,
    }

    /// The likelihood of offsets.
    struct OffsetGeometry {
        /// Windows.
        windows: u32,
        /// Fills the place before the next value.
        unused: u32,
        /// Logarithms of the least deviation of positions and of intensities.
        low: [f64; 2],
        /// The same of the greatest.
        high: [f64; 2],
        /// Distance at which a cell's weight has fallen to 61 %, pixels.
        nearness: f64,
    }

    /// Constants of one step of Adam.
    struct AdamGeometry {
        /// Decay of the first moment.
        beta1: f32,
        /// Decay of the second moment.
        beta2: f32,
        /// Added to the root of the second moment.
        epsilon: f32,
        /// Times the parameter, added to its gradient.
        weight_decay: f32,
        /// Root of the second moment's bias correction.
        root: f32,
        /// Magnitude below which a parameter becomes zero.
        negligible: f32,
        /// The same of a first moment.
        negligible_first: f32,
        /// The same of a second moment.
        negligible_second: f32,
    }

    /// A slice of a parameter, with what belongs to it: one block's work.
    struct AdamSlice {
        /// Parameter.
        value: Pointer,
        /// Its gradient.
        gradient: Pointer,
        /// First moment, or the average of the parameter.
        first: Pointer,
        /// Second moment.
        second: Pointer,
        /// Values.
        len: u32,
        /// Rate over the first moment's bias correction.
        step: f32,
    }

    /// Scalars of a weighted sum.
    struct Terms {
        /// Where they lie.
        scalar: [Pointer; MOST_TERMS],
        /// Their weights.
        weight: [f32; MOST_TERMS],
        /// How many there are.
        count: u32,
        /// Whether the sum goes on from the value that is there.
        more: u32,
    }
}
