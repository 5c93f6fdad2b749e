//! Nodes in whatever order a file has them become a tree whose parents come before their children.

use super::question::Node;

/// What is wrong with a tree: the number of the node in its file, and the fault.
pub(crate) type Fault = (usize, String);

/// Follows the ways from node 0, each node at most once. `look` knows the nodes by the numbers of
/// the file; children of what it returns are such numbers. Those that no way leads to are left out.
pub(crate) fn grow(
    nodes: usize,
    deepest: usize,
    look: impl Fn(usize) -> Result<Node, Fault>,
) -> Result<Vec<Node>, Fault> {
    let mut grown = Vec::with_capacity(nodes);
    let mut is_reached = vec![false; nodes];
    let (mut level, mut placed, mut depth) = (vec![0_usize], 1_u32, 0);
    while !level.is_empty() {
        if depth > deepest {
            let problem = format!("lies below {depth} others, at most {deepest} are allowed");
            return Err((level[0], problem));
        }
        let mut next = Vec::new();
        for at in level {
            match is_reached.get_mut(at) {
                Some(is_reached) if !*is_reached => *is_reached = true,
                Some(_) => return Err((at, "is reached on two ways".to_owned())),
                None => return Err((at, format!("is not there: the tree has {nodes} nodes"))),
            }
            grown.push(match look(at)? {
                Node::Ask {
                    question,
                    left,
                    right,
                } => {
                    next.extend([left as usize, right as usize]);
                    placed += 2;
                    Node::Ask {
                        question,
                        left: placed - 2,
                        right: placed - 1,
                    }
                }
                leaf @ Node::Leaf(_) => leaf,
            });
        }
        (level, depth) = (next, depth + 1);
    }
    Ok(grown)
}
