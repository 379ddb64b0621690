//! Things that are referred to by small copyable handles, which notice when their thing is gone.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

/// Refers to one `T` of one arena. A handle never refers to a later tenant of the same cell.
pub(crate) struct Handle<T> {
    index: u32,
    generation: u32,
    of: PhantomData<fn() -> T>,
}

/// Cells with generations.
#[derive(Debug)]
pub(crate) struct Arena<T> {
    cells: Vec<Cell<T>>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Cell<T> {
    generation: u32,
    tenant: Option<T>,
}

impl<T> Arena<T> {
    pub fn new() -> Self {
        Self { cells: Vec::new(), free: Vec::new() }
    }

    pub fn insert(&mut self, tenant: T) -> Handle<T> {
        if let Some(index) = self.free.pop()
            && let Some(cell) = self.cells.get_mut(index as usize)
        {
            cell.tenant = Some(tenant);
            return Handle { index, generation: cell.generation, of: PhantomData };
        }
        let index = u32::try_from(self.cells.len()).unwrap_or(u32::MAX);
        self.cells.push(Cell { generation: 0, tenant: Some(tenant) });
        Handle { index, generation: 0, of: PhantomData }
    }

    pub fn get(&self, handle: Handle<T>) -> Option<&T> {
        let cell = self.cells.get(handle.index as usize)?;
        if cell.generation == handle.generation { cell.tenant.as_ref() } else { None }
    }

    pub fn get_mut(&mut self, handle: Handle<T>) -> Option<&mut T> {
        let cell = self.cells.get_mut(handle.index as usize)?;
        if cell.generation == handle.generation { cell.tenant.as_mut() } else { None }
    }

    pub fn remove(&mut self, handle: Handle<T>) -> Option<T> {
        let cell = self.cells.get_mut(handle.index as usize)?;
        if cell.generation != handle.generation {
            return None;
        }
        let tenant = cell.tenant.take()?;
        cell.generation = cell.generation.wrapping_add(1);
        self.free.push(handle.index);
        Some(tenant)
    }

    pub fn iter(&self) -> impl Iterator<Item = (Handle<T>, &T)> {
        self.cells.iter().zip(0..).filter_map(|(cell, index)| {
            let handle = Handle { index, generation: cell.generation, of: PhantomData };
            cell.tenant.as_ref().map(|tenant| (handle, tenant))
        })
    }

    pub fn len(&self) -> usize {
        self.cells.len() - self.free.len()
    }
}

impl<T> Handle<T> {
    /// A handle that refers to nothing.
    pub fn nobody() -> Self {
        Self { index: u32::MAX, generation: u32::MAX, of: PhantomData }
    }
}

impl<T> Clone for Handle<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Handle<T> {}

impl<T> PartialEq for Handle<T> {
    fn eq(&self, other: &Self) -> bool {
        (self.index, self.generation) == (other.index, other.generation)
    }
}

impl<T> Eq for Handle<T> {}

impl<T> Hash for Handle<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(u64::from(self.generation) << 32 | u64::from(self.index));
    }
}

impl<T> fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.index, self.generation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_does_not_see_the_next_tenant() {
        let mut arena = Arena::new();
        let first = arena.insert("first");
        assert_eq!(arena.remove(first), Some("first"));
        let second = arena.insert("second");
        assert_eq!(arena.get(first), None);
        assert_eq!(arena.remove(first), None);
        assert_eq!((arena.get(second), arena.len()), (Some(&"second"), 1));
    }
}
