// Queries and keys as the projections made them. The kernel binds `qkv`.
#import head_part

// Dimensions 4 quad to 4 quad + 3, and their partners, of the query that starts at `head` of `qkv`.
fn load_query(head: u32, quad: u32) -> HeadPart {
    return load_head_part(head, quad);
}

// What the key that starts at `head` is to be multiplied by.
fn key_factor(head: u32) -> f32 {
    return 1.0;
}

// The same of a key.
fn load_key(head: u32, quad: u32, factor: f32) -> HeadPart {
    return load_head_part(head, quad);
}
