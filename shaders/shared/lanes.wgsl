// How the threads of a workgroup share the rows of a matrix: sets of LANES threads work on ROWS_PER_THREAD rows each, a lane
// on every LANES-th group of them. So a set reads consecutive memory, and a thread uses what it loads of the input for
// several rows. VALUES sums of each thread are added up over the lanes at the end.
//
// Constants: THREADS, LANES, ROWS_PER_THREAD; VALUES is the kernel's.
#import sums

const SETS: u32 = THREADS / LANES;
const ROWS_PER_WORKGROUP: u32 = SETS * ROWS_PER_THREAD;
