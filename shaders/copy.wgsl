// destination[i] = source[i]: does nothing but move memory, and so shows how fast that goes.
// McCalpin, "Memory Bandwidth and Machine Balance in Current High Performance Computers" (1995): STREAM, "copy".
//
// Constants: VECTORS.
@group(0) @binding(0) var<storage, read> source: array<vec4<u32>>;             // [VECTORS]
@group(0) @binding(1) var<storage, read_write> destination: array<vec4<u32>>;  // [VECTORS]

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x < VECTORS) {
        destination[id.x] = source[id.x];
    }
}
