//! A graph under construction: values with shapes, constants and nodes with readable names.

use std::collections::BTreeSet;

use super::proto::{
    AttributeProto, Dimension, FLOAT, GraphProto, INT8, INT64, NodeProto, Size, TensorProto,
    TensorShapeProto, TensorType, TypeProto, ValueInfoProto,
};

/// Name of the number of windows in shapes.
const WINDOWS: &str = "N";

/// A value of the graph, of shape `(batch × N, item…)` with `N` the number of windows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    name: String,
    batch: usize,
    item: Vec<usize>,
    element: i32,
}

impl Value {
    /// Items per window.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Shape of an item, `(c, h, w)` for maps.
    pub fn item(&self) -> &[usize] {
        &self.item
    }

    fn info(&self, doc: &str) -> ValueInfoProto {
        let batch = match self.batch {
            1 => WINDOWS.to_owned(),
            batch => format!("{batch}*{WINDOWS}"),
        };
        let sizes = self.item.iter().map(|&n| Size::DimValue(n as i64));
        let dims = [Size::DimParam(batch)].into_iter().chain(sizes);
        described(&self.name, self.element, dims, doc)
    }
}

/// Name, element type and shape of a value.
fn described(
    name: &str,
    elem_type: i32,
    dims: impl Iterator<Item = Size>,
    doc: &str,
) -> ValueInfoProto {
    let dim = dims.map(|size| Dimension { value: Some(size) }).collect();
    let shape = Some(TensorShapeProto { dim });
    ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(TypeProto {
            tensor_type: Some(TensorType { elem_type, shape }),
        }),
        doc_string: doc.to_owned(),
    }
}

/// A constant of the graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constant {
    name: String,
    dims: Vec<usize>,
}

impl Constant {
    /// Its shape.
    pub fn dims(&self) -> &[usize] {
        &self.dims
    }
}

/// What a node may read.
pub trait Operand {
    /// Its name in the graph.
    fn name(&self) -> &str;
}

impl Operand for Value {
    fn name(&self) -> &str {
        &self.name
    }
}

impl Operand for Constant {
    fn name(&self) -> &str {
        &self.name
    }
}

/// An attribute that is one integer.
pub(super) fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        i: Some(value),
        ints: Vec::new(),
        r#type: 2,
    }
}

/// An attribute of several integers.
pub(super) fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        i: None,
        ints: values.to_vec(),
        r#type: 7,
    }
}

/// Builds a graph. Nodes and the values that they make bear the same names, which begin with the
/// part of the network that they belong to.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    graph: GraphProto,
    constants: BTreeSet<String>,
    scope: String,
}

impl Builder {
    /// A graph called `name`, still empty.
    pub fn new(name: &str) -> Self {
        let mut builder = Self::default();
        builder.graph.name = name.to_owned();
        builder
    }

    /// The graph.
    pub fn finish(self) -> GraphProto {
        self.graph
    }

    /// Lets `build` name its nodes below `part`.
    pub fn within<T>(&mut self, part: &str, build: impl FnOnce(&mut Self) -> T) -> T {
        let outer = self.enter(part);
        let built = build(self);
        self.leave(outer);
        built
    }

    /// Names nodes below `part` until [`Self::leave`] is given what this returns.
    pub(super) fn enter(&mut self, part: &str) -> usize {
        let outer = self.scope.len();
        self.scope.push_str(part);
        self.scope.push('/');
        outer
    }

    /// Names nodes as before [`Self::enter`].
    pub(super) fn leave(&mut self, outer: usize) {
        self.scope.truncate(outer);
    }

    /// An input of the graph, f32, of `batch` items per window.
    pub fn input(&mut self, name: &str, doc: &str, batch: usize, item: &[usize]) -> Value {
        let value = Value {
            name: name.to_owned(),
            batch,
            item: item.to_vec(),
            element: FLOAT,
        };
        self.graph.input.push(value.info(doc));
        value
    }

    /// Makes `value` an output of the graph.
    pub fn output(&mut self, value: &Value, doc: &str) {
        self.graph.output.push(value.info(doc));
        self.graph.value_info.retain(|info| info.name != value.name);
    }

    /// A constant tensor in f32, row-major. The first one of a name stays.
    pub fn constant(&mut self, name: &str, dims: &[usize], values: &[f32]) -> Constant {
        debug_assert_eq!(dims.iter().product::<usize>(), values.len());
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.keep(name, dims, FLOAT, bytes)
    }

    /// `i8` weights of several outputs times the `scales` of these: kept in bytes, multiplied where the
    /// graph runs. The first ones of a name stay.
    pub(super) fn dequantised(
        &mut self,
        name: &str,
        dims: &[usize],
        (weights, scales): (Vec<u8>, &[f32]),
    ) -> Constant {
        debug_assert_eq!(dims.iter().product::<usize>(), weights.len());
        let constant = Constant {
            name: name.to_owned(),
            dims: dims.to_vec(),
        };
        if self.constants.contains(name) {
            return constant;
        }
        self.constants.insert(name.to_owned());
        let outputs = dims[0];
        let inputs = [
            self.keep(&format!("{name}.quantised"), dims, INT8, weights),
            self.constant(&format!("{name}.scale"), &[outputs], scales),
            self.keep(
                &format!("constants/zeros_{outputs}"),
                &[outputs],
                INT8,
                vec![0; outputs],
            ),
        ];
        self.graph.node.push(NodeProto {
            input: inputs.map(|input| input.name).to_vec(),
            output: vec![name.to_owned()],
            name: name.to_owned(),
            op_type: "DequantizeLinear".to_owned(),
            attribute: vec![int("axis", 0)],
        });
        let sizes = dims.iter().map(|&n| Size::DimValue(n as i64));
        self.graph
            .value_info
            .push(described(name, FLOAT, sizes, ""));
        constant
    }

    /// A constant in f32 without axes, named by its value.
    pub(super) fn scalar(&mut self, value: f32) -> Constant {
        self.constant(&format!("constants/{value}"), &[], &[value])
    }

    /// A constant vector of integers, named by its values.
    pub(super) fn indices(&mut self, values: &[i64]) -> Constant {
        let words: Vec<String> = values.iter().map(i64::to_string).collect();
        let name = format!("constants/[{}]", words.join(","));
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.keep(&name, &[values.len()], INT64, bytes)
    }

    /// A constant integer without axes, named by its value.
    pub(super) fn index(&mut self, value: i64) -> Constant {
        let name = format!("constants/index_{value}");
        self.keep(&name, &[], INT64, value.to_le_bytes().to_vec())
    }

    fn keep(&mut self, name: &str, dims: &[usize], data_type: i32, raw_data: Vec<u8>) -> Constant {
        if self.constants.insert(name.to_owned()) {
            self.graph.initializer.push(TensorProto {
                dims: dims.iter().map(|&n| n as i64).collect(),
                data_type,
                name: name.to_owned(),
                raw_data,
            });
        }
        Constant {
            name: name.to_owned(),
            dims: dims.to_vec(),
        }
    }

    /// A node with one output in f32.
    pub(super) fn node(
        &mut self,
        (kind, name): (&str, &str),
        inputs: &[&dyn Operand],
        attributes: Vec<AttributeProto>,
        (batch, item): (usize, &[usize]),
    ) -> Value {
        self.typed_node((kind, name), inputs, attributes, (batch, item), FLOAT)
    }

    /// A node with one output of element type `element`.
    pub(super) fn typed_node(
        &mut self,
        (kind, name): (&str, &str),
        inputs: &[&dyn Operand],
        attributes: Vec<AttributeProto>,
        (batch, item): (usize, &[usize]),
        element: i32,
    ) -> Value {
        let value = Value {
            name: format!("{}{name}", self.scope),
            batch,
            item: item.to_vec(),
            element,
        };
        self.push(kind, &value.name, inputs, &[&value], attributes);
        value
    }

    fn push(
        &mut self,
        kind: &str,
        name: &str,
        inputs: &[&dyn Operand],
        outputs: &[&Value],
        attribute: Vec<AttributeProto>,
    ) {
        self.graph.node.push(NodeProto {
            input: inputs.iter().map(|i| i.name().to_owned()).collect(),
            output: outputs.iter().map(|o| o.name.clone()).collect(),
            name: name.to_owned(),
            op_type: kind.to_owned(),
            attribute,
        });
        let infos = outputs.iter().map(|o| o.info(""));
        self.graph.value_info.extend(infos);
    }

    /// `kind` of `x` alone, element by element.
    pub(super) fn map(&mut self, kind: &str, name: &str, x: &Value) -> Value {
        self.node((kind, name), &[x], Vec::new(), (x.batch, &x.item))
    }

    /// `kind` of `x` and of what is broadcast to its shape, element by element.
    pub(super) fn with(&mut self, kind: &str, name: &str, x: &Value, y: &dyn Operand) -> Value {
        let shape = (x.batch, x.item.as_slice());
        self.typed_node((kind, name), &[x, y], Vec::new(), shape, x.element)
    }

    /// The same values in items of another shape; a window may come to have another number of them.
    pub(super) fn reshape(&mut self, name: &str, x: &Value, batch: usize, item: &[usize]) -> Value {
        // 0 keeps the number of items, -1 computes it.
        let first = if batch == x.batch { 0 } else { -1 };
        let rest = item.iter().map(|&n| n as i64);
        let sizes: Vec<i64> = [first].into_iter().chain(rest).collect();
        let sizes = self.indices(&sizes);
        let (node, inputs): (_, [&dyn Operand; 2]) = (("Reshape", name), [x, &sizes]);
        self.typed_node(node, &inputs, Vec::new(), (batch, item), x.element)
    }

    /// Axes in another order; the first stays.
    pub(super) fn transpose(&mut self, name: &str, x: &Value, order: &[usize]) -> Value {
        let item: Vec<usize> = order[1..].iter().map(|&axis| x.item[axis - 1]).collect();
        let order: Vec<i64> = order.iter().map(|&axis| axis as i64).collect();
        let order = vec![ints("perm", &order)];
        self.node(("Transpose", name), &[x], order, (x.batch, &item))
    }

    /// Items side by side along their first axis.
    pub(super) fn concat(&mut self, name: &str, parts: &[&Value]) -> Value {
        self.concat_along(name, parts, 0)
    }

    /// Items side by side along axis number `along` of theirs.
    pub(super) fn concat_along(&mut self, name: &str, parts: &[&Value], along: usize) -> Value {
        let mut item = parts[0].item.clone();
        item[along] = parts.iter().map(|part| part.item[along]).sum();
        let inputs: Vec<&dyn Operand> = parts.iter().map(|&part| part as &dyn Operand).collect();
        let axis = vec![int("axis", along as i64 + 1)];
        self.node(("Concat", name), &inputs, axis, (parts[0].batch, &item))
    }

    /// Equal parts of the items along their first axis.
    pub(super) fn split(&mut self, name: &str, x: &Value, parts: usize) -> Vec<Value> {
        let mut item = x.item.clone();
        item[0] /= parts;
        let name = format!("{}{name}", self.scope);
        let part = |k| Value {
            name: format!("{name}/{k}"),
            item: item.clone(),
            ..*x
        };
        let values: Vec<Value> = (0..parts).map(part).collect();
        let outputs: Vec<&Value> = values.iter().collect();
        self.push("Split", &name, &[x], &outputs, vec![int("axis", 1)]);
        values
    }

    /// The `count` largest values of items of one axis, descending.
    pub(super) fn largest(&mut self, name: &str, x: &Value, count: usize) -> Value {
        let name = format!("{}{name}", self.scope);
        let end = |part: &str, element| Value {
            name: format!("{name}{part}"),
            batch: x.batch,
            item: vec![count],
            element,
        };
        let (values, places) = (end("", x.element), end("/places", INT64));
        let count = self.indices(&[count as i64]);
        let outputs = [&values, &places];
        self.push("TopK", &name, &[x, &count], &outputs, vec![int("axis", 1)]);
        values
    }
}
