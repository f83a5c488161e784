//! Places for the names of points, so that none covers another.

/// A point in the plane of the picture, y downwards.
pub type Point = (f64, f64);

/// A rectangle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
}

impl Area {
    fn around((x, y): Point, width: f64, height: f64) -> Self {
        Self {
            left: x - width / 2.0,
            top: y - height / 2.0,
            right: x + width / 2.0,
            bottom: y + height / 2.0,
        }
    }

    /// Whether they share more than an edge.
    pub fn meets(&self, other: &Self) -> bool {
        self.left < other.right
            && other.left < self.right
            && self.top < other.bottom
            && other.top < self.bottom
    }

    fn within(&self, other: &Self) -> bool {
        self.left >= other.left
            && self.right <= other.right
            && self.top >= other.top
            && self.bottom <= other.bottom
    }

    /// The point of it that lies nearest.
    fn nearest(&self, (x, y): Point) -> Point {
        (
            x.clamp(self.left, self.right),
            y.clamp(self.top, self.bottom),
        )
    }

    /// Whether the straight line from `a` to `b` passes through (Liang and Barsky 1984).
    fn is_crossed(&self, a: Point, b: Point) -> bool {
        let (dx, dy) = (b.0 - a.0, b.1 - a.1);
        let mut range = (0.0f64, 1.0f64);
        for (step, low, high) in [
            (dx, self.left - a.0, self.right - a.0),
            (dy, self.top - a.1, self.bottom - a.1),
        ] {
            if step == 0.0 {
                if low > 0.0 || high < 0.0 {
                    return false;
                }
                continue;
            }
            let (from, to) = if step > 0.0 {
                (low / step, high / step)
            } else {
                (high / step, low / step)
            };
            range = (range.0.max(from), range.1.min(to));
        }
        range.0 < range.1
    }
}

/// Where a name goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// What it covers.
    pub area: Area,
    /// Line from the point to it, where it lies apart.
    pub leader: Option<(Point, Point)>,
}

/// Height of a line of text.
pub const LINE: f64 = 14.0;
/// A mark is this wide and high, with some air.
const MARK: f64 = 11.0;
/// Distances that are tried.
const RINGS: [f64; 13] = [
    8.0, 13.0, 19.0, 27.0, 36.0, 46.0, 58.0, 72.0, 88.0, 106.0, 126.0, 148.0, 172.0,
];
/// Directions that are tried, the right and the left first.
const DIRECTIONS: usize = 24;
/// Beyond this distance a name needs a line to its point.
const NEAR: f64 = 14.0;

/// What names stand among.
pub struct Around {
    /// What they may not leave.
    pub area: Area,
    /// What they may not cover.
    marks: Vec<Area>,
    /// What they had better not cover.
    lines: Vec<(Point, Point)>,
}

impl Around {
    /// With marks around these points.
    pub fn new(area: Area, marks: &[Point], lines: Vec<(Point, Point)>) -> Self {
        let marks = marks.iter().map(|&at| Area::around(at, MARK, MARK));
        Self {
            area,
            marks: marks.collect(),
            lines,
        }
    }
}

/// Places for names of `widths` at `points`, clear of each other and of what is `around`;
/// the closer to its point the better. Names are placed by turns until none moves.
pub fn place(points: &[Point], widths: &[f64], around: &Around) -> Vec<Place> {
    let mut order: Vec<usize> = (0..points.len()).collect();
    let crowd = |k: usize| {
        let near = |p: &&Point| (p.0 - points[k].0).hypot(p.1 - points[k].1) < 60.0;
        points.iter().filter(near).count()
    };
    order.sort_by_key(|&k| std::cmp::Reverse(crowd(k)));
    let mut places: Vec<Option<Place>> = vec![None; points.len()];
    for _ in 0..6 {
        let before = places.clone();
        for &k in &order {
            let others = places.iter().enumerate().filter(|(other, _)| *other != k);
            let others: Vec<Place> = others.filter_map(|(_, place)| *place).collect();
            places[k] = best(points[k], widths[k], &others, around);
        }
        if places == before {
            break;
        }
    }
    places.into_iter().flatten().collect()
}

fn best(point: Point, width: f64, others: &[Place], around: &Around) -> Option<Place> {
    let candidates = RINGS
        .iter()
        .flat_map(|&ring| (0..DIRECTIONS).map(move |step| (ring, step)));
    let rated = candidates.map(|(ring, step)| {
        let place = candidate(point, width, ring, step);
        (rate(&place, ring, others, around), place)
    });
    let best = rated.min_by(|a, b| a.0.total_cmp(&b.0));
    best.map(|(_, place)| place)
}

/// The name in direction `step`, its edge `ring` away.
fn candidate(point: Point, width: f64, ring: f64, step: usize) -> Place {
    let angle = std::f64::consts::TAU * step as f64 / DIRECTIONS as f64;
    let (dx, dy) = (angle.cos(), angle.sin());
    let middle = (
        point.0 + dx * (ring + width / 2.0),
        point.1 + dy * (ring + LINE / 2.0),
    );
    let area = Area::around(middle, width, LINE);
    let end = area.nearest(point);
    let length = (end.0 - point.0).hypot(end.1 - point.1);
    let leader = (length > NEAR).then_some((point, end));
    Place { area, leader }
}

/// Cost of a place: its distance, and much for whatever it covers.
fn rate(place: &Place, ring: f64, others: &[Place], around: &Around) -> f64 {
    let mut cost = ring;
    if !place.area.within(&around.area) {
        cost += 1e5;
    }
    let marks = &around.marks;
    let struck = |line: &&(Point, Point)| place.area.is_crossed(line.0, line.1);
    cost += 30.0 * around.lines.iter().filter(struck).count() as f64;
    let covered = others
        .iter()
        .filter(|other| other.area.meets(&place.area))
        .count();
    let hidden = marks.iter().filter(|mark| mark.meets(&place.area)).count();
    cost += 1e4 * covered as f64 + 1e3 * hidden as f64;
    for other in others {
        let crosses = |leader: Option<(Point, Point)>, area: &Area| {
            leader.is_some_and(|(a, b)| area.is_crossed(a, b))
        };
        if crosses(place.leader, &other.area) || crosses(other.leader, &place.area) {
            cost += 300.0;
        }
        if let (Some(a), Some(b)) = (place.leader, other.leader)
            && cross(a, b)
        {
            cost += 60.0;
        }
    }
    if let Some((from, to)) = place.leader {
        // The mark of the point itself is crossed as well.
        cost += 12.0
            * marks
                .iter()
                .filter(|mark| mark.is_crossed(from, to))
                .count() as f64;
    }
    cost
}

/// Whether two lines cross inside both.
fn cross((a, b): (Point, Point), (c, d): (Point, Point)) -> bool {
    let side = |p: Point, q: Point, r: Point| (q.0 - p.0) * (r.1 - p.1) - (q.1 - p.1) * (r.0 - p.0);
    side(a, b, c) * side(a, b, d) < 0.0 && side(c, d, a) * side(c, d, b) < 0.0
}

/// Width of `text` in a sans-serif font of 12 units, rather too large than too small.
pub fn width(text: &str, bold: bool) -> f64 {
    let wide = |c: char| match c {
        'i' | 'j' | 'l' | 't' | 'f' | 'r' | 'I' | '.' | ',' | '-' | ' ' | '\'' | '(' | ')' => 5.0,
        'm' | 'w' | 'M' | 'W' => 11.5,
        c if c.is_uppercase() || !c.is_ascii() => 9.2,
        _ => 7.4,
    };
    text.chars().map(wide).sum::<f64>() * if bold { 1.12 } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    const AREA: Area = Area {
        left: 0.0,
        top: 0.0,
        right: 850.0,
        bottom: 460.0,
    };

    fn check(points: &[Point], marks: &[Point]) {
        let widths: Vec<f64> = (0..points.len())
            .map(|k| 40.0 + (k * 13 % 50) as f64)
            .collect();
        let places = place(points, &widths, &Around::new(AREA, marks, Vec::new()));
        assert_eq!(places.len(), points.len());
        for (k, place) in places.iter().enumerate() {
            assert!(place.area.within(&AREA), "{place:?}");
            let hits = places[..k]
                .iter()
                .filter(|other| other.area.meets(&place.area));
            assert_eq!(hits.count(), 0, "{k}: {place:?}");
            let mark = |at: &&Point| Area::around(**at, MARK, MARK).meets(&place.area);
            assert_eq!(marks.iter().filter(mark).count(), 0, "{k}");
        }
    }

    /// All methods within a few per cent of each other, as they are off the grid.
    #[test]
    fn a_crowd_on_one_line_is_told_apart() {
        let points: Vec<Point> = (0..31)
            .map(|k| (60.0 + 24.0 * f64::from(k), 30.0 + f64::from(k * 7 % 11)))
            .collect();
        check(&points, &points);
    }

    #[test]
    fn random_clouds_are_told_apart() {
        for seed in 0..20 {
            let mut rng = Rng::new(seed, *b"labels  ", 0);
            let mut at = || (20.0 + 800.0 * rng.uniform(), 20.0 + 420.0 * rng.uniform());
            let points: Vec<Point> = (0..31).map(|_| at()).collect();
            check(&points, &points);
        }
    }

    #[test]
    fn lines_through_areas() {
        let area = Area::around((0.0, 0.0), 2.0, 2.0);
        assert!(area.is_crossed((-5.0, 0.0), (5.0, 0.5)));
        assert!(area.is_crossed((0.0, 0.0), (5.0, 5.0)));
        assert!(!area.is_crossed((-5.0, 2.0), (5.0, 2.0)));
        assert!(!area.is_crossed((2.0, 0.0), (5.0, 0.0)));
        assert!(cross(((0.0, 0.0), (2.0, 2.0)), ((0.0, 2.0), (2.0, 0.0))));
        assert!(!cross(((0.0, 0.0), (1.0, 1.0)), ((3.0, 0.0), (0.0, 3.0))));
    }
}
