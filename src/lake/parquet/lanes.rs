//! The columns of a row group, encoded side by side. A lane owns some of the columns and takes batches in the
//! order they were given, so that the bytes of the file do not depend on which lane is ahead.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, SchemaRef};
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves,
};
use parquet::errors::{ParquetError, Result as ParquetResult};
use tokio::sync::oneshot;

use crate::error::{Error, ErrorKind, Result};
use crate::lake::parquet::sink::Output;

/// The most lanes that share the columns beside the heaviest: more would cost more hand-overs than they save.
const MOST_LANES: usize = 4;

/// What the row group under way weighs after a batch.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Weight {
    /// Bytes of memory.
    pub(super) memory: usize,
    /// About how many bytes it would be in the file.
    pub(super) size: usize,
}

/// All lanes of one file.
pub(super) struct Lanes {
    lanes: Vec<Arc<Lane>>,
    /// The columns' leaves: a struct or list may have several.
    leaves: Vec<usize>,
}

/// Some of the columns, encoded by one thread at a time.
struct Lane {
    schema: SchemaRef,
    /// The fields' indexes in the schema.
    fields: Vec<usize>,
    output: Arc<Mutex<Output>>,
    queue: Mutex<Queue>,
    columns: Mutex<Vec<Vec<ArrowColumnWriter>>>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Work>,
    /// Whether a thread takes from it.
    taken: bool,
}

enum Work {
    Begin(Vec<Vec<ArrowColumnWriter>>),
    Batch(Vec<ArrayRef>, Arc<Part>),
    End(Arc<Group>),
}

impl Lanes {
    /// Lanes for the columns of `schema`, whose finished row groups go to `output`.
    pub(super) fn new(schema: &SchemaRef, output: &Arc<Mutex<Output>>) -> Self {
        let lanes = share(schema, rayon_threads()).into_iter().map(|fields| {
            Arc::new(Lane {
                schema: Arc::clone(schema),
                fields,
                output: Arc::clone(output),
                queue: Mutex::default(),
                columns: Mutex::default(),
            })
        });
        let leaves = schema.fields().iter().map(|field| leaves_of(field.data_type())).collect();
        Self { lanes: lanes.collect(), leaves }
    }

    /// Begins a row group, which the columns' writers come from.
    pub(super) fn begin(
        &self,
        factory: &ArrowRowGroupWriterFactory,
        group: usize,
    ) -> ParquetResult<()> {
        let mut writers = factory.create_column_writers(group)?.into_iter();
        let mut columns: Vec<Vec<ArrowColumnWriter>> =
            self.leaves.iter().map(|leaves| writers.by_ref().take(*leaves).collect()).collect();
        for lane in &self.lanes {
            let mut own = Vec::with_capacity(lane.fields.len());
            for field in &lane.fields {
                own.push(columns.get_mut(*field).map(std::mem::take).unwrap_or_default());
            }
            lane.give(Work::Begin(own));
        }
        Ok(())
    }

    /// Encodes `batch` after those before it; the answer comes when every lane has done so.
    pub(super) fn write(
        &self,
        batch: &RecordBatch,
    ) -> Result<oneshot::Receiver<ParquetResult<Weight>>> {
        let (done, weight) = oneshot::channel();
        let part =
            Arc::new(Part(Mutex::new(Joined::new(self.lanes.len(), Weight::default(), done))));
        for lane in &self.lanes {
            let columns = lane.fields.iter().filter_map(|field| batch.columns().get(*field));
            lane.give(Work::Batch(columns.cloned().collect(), Arc::clone(&part)));
        }
        self.wake()?;
        Ok(weight)
    }

    /// Ends the row group; the answer, the file's length, comes when it is in the output.
    pub(super) fn end(&self) -> Result<oneshot::Receiver<ParquetResult<usize>>> {
        let (done, length) = oneshot::channel();
        let chunks = self.leaves.iter().map(|_| Vec::new()).collect();
        let group = Arc::new(Group(Mutex::new(Joined::new(self.lanes.len(), chunks, done))));
        for lane in &self.lanes {
            lane.give(Work::End(Arc::clone(&group)));
        }
        self.wake()?;
        Ok(length)
    }

    fn wake(&self) -> Result<()> {
        for lane in &self.lanes {
            if !std::mem::replace(&mut lock(&lane.queue).taken, true) {
                let lane = Arc::clone(lane);
                encoders()?.spawn(move || lane.run());
            }
        }
        Ok(())
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        // Nobody wants what still waits.
        for lane in &self.lanes {
            lock(&lane.queue).waiting.clear();
        }
    }
}

impl Lane {
    fn give(&self, work: Work) {
        lock(&self.queue).waiting.push_back(work);
    }

    /// Takes work until there is none.
    fn run(&self) {
        loop {
            let work = {
                let mut queue = lock(&self.queue);
                match queue.waiting.pop_front() {
                    Some(work) => work,
                    None => return queue.taken = false,
                }
            };
            match work {
                Work::Begin(columns) => *lock(&self.columns) = columns,
                Work::Batch(arrays, part) => part.arrive(self.encode(&arrays)),
                Work::End(group) => {
                    let chunks = self.close();
                    group.arrive(&self.fields, chunks, &self.output);
                }
            }
        }
    }

    fn encode(&self, arrays: &[ArrayRef]) -> ParquetResult<Weight> {
        let mut columns = lock(&self.columns);
        let mut weight = Weight::default();
        for ((field, array), writers) in self.fields.iter().zip(arrays).zip(columns.iter_mut()) {
            for (leaf, writer) in
                compute_leaves(self.schema.field(*field), array)?.iter().zip(writers)
            {
                writer.write(leaf)?;
                weight.memory += writer.memory_size();
                weight.size += writer.get_estimated_total_bytes();
            }
        }
        Ok(weight)
    }

    fn close(&self) -> ParquetResult<Vec<Vec<ArrowColumnChunk>>> {
        let columns = std::mem::take(&mut *lock(&self.columns));
        columns
            .into_iter()
            .map(|leaves| leaves.into_iter().map(ArrowColumnWriter::close).collect())
            .collect()
    }
}

/// What every lane adds to, and the last one hands over.
struct Joined<T, D> {
    left: usize,
    sum: T,
    failed: Option<ParquetError>,
    done: Option<oneshot::Sender<ParquetResult<D>>>,
}

impl<T: Default, D> Joined<T, D> {
    fn new(left: usize, sum: T, done: oneshot::Sender<ParquetResult<D>>) -> Self {
        Self { left, sum, failed: None, done: Some(done) }
    }

    /// Counts a lane in; the last one is given the sum and whom to tell.
    fn arrive(&mut self) -> Option<(ParquetResult<T>, oneshot::Sender<ParquetResult<D>>)> {
        self.left = self.left.saturating_sub(1);
        if self.left > 0 {
            return None;
        }
        let sum = std::mem::take(&mut self.sum);
        Some((self.failed.take().map_or(Ok(sum), Err), self.done.take()?))
    }
}

/// A batch on its way through all lanes.
struct Part(Mutex<Joined<Weight, Weight>>);

impl Part {
    fn arrive(&self, weight: ParquetResult<Weight>) {
        let mut joined = lock(&self.0);
        match weight {
            Ok(weight) => {
                joined.sum.memory += weight.memory;
                joined.sum.size += weight.size;
            }
            Err(error) => joined.failed = Some(error),
        }
        if let Some((weight, done)) = joined.arrive() {
            // Nobody listens where the file was given up.
            let _ = done.send(weight);
        }
    }
}

/// A row group whose columns are being closed.
struct Group(Mutex<Joined<Vec<Vec<ArrowColumnChunk>>, usize>>);

impl Group {
    fn arrive(
        &self,
        fields: &[usize],
        chunks: ParquetResult<Vec<Vec<ArrowColumnChunk>>>,
        output: &Mutex<Output>,
    ) {
        let last = {
            let mut joined = lock(&self.0);
            match chunks {
                Ok(chunks) => {
                    for (field, chunks) in fields.iter().zip(chunks) {
                        if let Some(place) = joined.sum.get_mut(*field) {
                            *place = chunks;
                        }
                    }
                }
                Err(error) => joined.failed = Some(error),
            }
            joined.arrive()
        };
        if let Some((chunks, done)) = last {
            let _ = done.send(chunks.and_then(|chunks| lock(output).add(chunks)));
        }
    }
}

/// The fields in groups of about the same work, each in the schema's order. The heaviest stands alone.
fn share(schema: &SchemaRef, threads: usize) -> Vec<Vec<usize>> {
    let mut fields: Vec<(usize, usize)> =
        schema.fields().iter().map(|field| work_of(field)).enumerate().collect();
    fields.sort_by_key(|(index, work)| (std::cmp::Reverse(*work), *index));
    let lanes = (threads + 1).min(MOST_LANES).min(fields.len()).max(1);
    let mut shared: Vec<(usize, Vec<usize>)> = vec![(0, Vec::new()); lanes];
    for (index, work) in fields {
        if let Some((sum, own)) = shared.iter_mut().min_by_key(|(sum, _)| *sum) {
            *sum += work;
            own.push(index);
        }
    }
    shared.into_iter().map(|(_, own)| own).collect()
}

/// How much work a column is, in about nanoseconds a row.
fn work_of(field: &Field) -> usize {
    match field.data_type() {
        // The raw column and subtrees: their text is all compressed.
        DataType::Utf8View => 200,
        DataType::Utf8 => 50,
        DataType::List(_) => 100,
        DataType::Boolean => 10,
        _ => 20,
    }
}

/// The Parquet columns of an Arrow type.
fn leaves_of(kind: &DataType) -> usize {
    match kind {
        DataType::Struct(fields) => fields.iter().map(|field| leaves_of(field.data_type())).sum(),
        DataType::List(item) => leaves_of(item.data_type()),
        _ => 1,
    }
}

/// The threads that encode, as many as there are cores. Few, and always the same ones: what one frees it uses
/// again, where the memory of the many that tokio keeps for blocking would add up.
pub(super) fn encoders() -> Result<&'static rayon::ThreadPool> {
    static ENCODERS: OnceLock<rayon::ThreadPool> = OnceLock::new();
    if let Some(encoders) = ENCODERS.get() {
        return Ok(encoders);
    }
    let pool = rayon::ThreadPoolBuilder::new()
        .thread_name(|n| format!("encode-{n}"))
        // Whoever waits for the work sees it gone, and says so.
        .panic_handler(|_| ())
        .build()
        .map_err(|e| {
            Error::new(ErrorKind::Unexpected, "could not start the encoders").caused_by(e)
        })?;
    Ok(ENCODERS.get_or_init(|| pool))
}

fn rayon_threads() -> usize {
    encoders().map_or(1, rayon::ThreadPool::current_num_threads)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic of a lane fails its file: the batch that it had is never answered.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
