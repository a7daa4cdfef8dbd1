// Queries and keys as the projections made them. The kernel binds `qkv`.
#import head_part

// Dimensions 4 quad to 4 quad + 3, and their partners, of the query that starts at `head` of `qkv`.
fn load_query(head: u32, quad: u32) -> HeadPart {
    return load_head_part(head, quad);
}

// The same of a key.
fn load_key(head: u32, quad: u32) -> HeadPart {
    return load_head_part(head, quad);
}
