//! CSO-mAP: mean average precision of closely-spaced objects.
