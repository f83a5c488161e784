//! Parts that several networks share.

use super::net::{Layer, Map, Net};

/// `x + conv(relu(conv(x)))`, 3×3, with the channels of `x`.
pub fn residual(net: &mut Net<'_>, name: &str, x: Map, layer: Layer) -> Map {
    net.within(name, |net| {
        let y = net.conv("conv1", x, layer.relu());
        let y = net.conv("conv2", y, layer);
        net.add(y, x)
    })
}

/// `count` residual blocks.
pub fn residuals(net: &mut Net<'_>, name: &str, count: usize, x: Map, layer: Layer) -> Map {
    net.within(name, |net| {
        (0..count).fold(x, |x, k| residual(net, &k.to_string(), x, layer))
    })
}
